"""The app: the search page in a browser, served to this computer by one process that holds the library and its model.

    python -m cliplib.widgets.server photos --model ViT-B/32 --port 8866

No visitor has a kernel: a page is a file, and its requests are answered by one `Service`, so that a second visitor
costs nothing and no code can be sent. It serves this computer alone, hands out files of the index only, and refuses
what another web page might ask through the browser. With `--phone` it serves the local network, to those who were
invited; see `invitations`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import webbrowser
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import tornado.httpserver
import tornado.web

from ..display.style import THEME
from ..errors import CliplibError
from ..library import Library
from .invitations import COOKIE, Invitations, network_address, qr_svg
from .service import Service

HERE = Path(__file__).parent
LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})  # the names of this computer for itself
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
FILES = ("picture", "clip", "file", "save_clip", "export", "uploaded")  # requests that answer with one file
MOST_UPLOAD_BYTES = 200_000_000
THREADS = 4  # clips and large pictures are made beside searches

START = """import {{ mount, httpServer }} from "./page.js";
mount(document.getElementById("page"), httpServer("./"), {options});
"""


class Handler(tornado.web.RequestHandler):
    """What all answers have in common: who may ask, and what a browser may do with them."""

    def initialize(
        self, service: Service, pool: ThreadPoolExecutor, hosts: frozenset[str], invitations: Invitations | None
    ) -> None:
        """What `application` hands to each handler."""
        self.service, self.pool, self.hosts, self.invitations = service, pool, hosts, invitations

    def set_default_headers(self) -> None:
        """The same for every answer, errors included."""
        for name, value in SAFE.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def prepare(self) -> None:
        """Refuse names that only lead here, what another site sends through the browser, and who was not invited."""
        name = self.request.host.rsplit(":", 1)[0] if not self.request.host.endswith("]") else self.request.host
        site = self.request.headers.get("Sec-Fetch-Site", "same-origin")
        opened = self.request.headers.get("Sec-Fetch-Mode") == "navigate" and self.request.path == "/"
        origin = self.request.headers.get("Origin")
        if name not in self.hosts or (site not in ("same-origin", "none") and not opened):
            raise tornado.web.HTTPError(403)
        if origin and origin != f"{self.request.protocol}://{self.request.host}":
            raise tornado.web.HTTPError(403)
        if self.invitations and not self.invitations.knows(self.get_cookie(COOKIE, "")):
            self.welcome(self.invitations)

    def welcome(self, invitations: Invitations) -> None:
        """Let in who brings an unused token, once: a cookie stands for it from then on. Everybody else gets nothing."""
        token = self.get_query_argument("token", "") if self.request.path == "/" else ""
        visitor = invitations.redeem(token)
        if visitor is None:
            raise tornado.web.HTTPError(403)
        self.set_cookie(COOKIE, visitor, httponly=True, samesite="Lax")  # no "secure": this is plain HTTP
        self.redirect("/", status=303)  # without the token, which would stay in the browser's history

    async def do(self, request: dict[str, Any], buffers: list[bytes] | None = None) -> tuple[dict, list[bytes]]:
        """What the service answers, found in a thread: the server goes on listening."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, self.service.answer, request, buffers or [])

    def parsed(self, text: str | bytes) -> dict[str, Any]:
        """A JSON object that the page sent."""
        try:
            request = json.loads(text)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            raise tornado.web.HTTPError(400)
        return request

    def write_error(self, status_code: int, **_: Any) -> None:
        """A status and no page: nothing of this computer is told."""
        self.finish(str(status_code))


class Page(Handler):
    """The page's own files, made up when the server starts."""

    def initialize(self, body: bytes, media_type: str, **shared: Any) -> None:  # type: ignore[override]
        """The one file that is served here."""
        super().initialize(**shared)
        self.body, self.media_type = body, media_type

    def get(self) -> None:
        """The file."""
        self.set_header("Content-Type", self.media_type)
        self.set_header("Cache-Control", "no-cache")
        self.finish(self.body)


class Nothing(Handler):
    """Every other address."""

    def prepare(self) -> None:
        """404 for who may ask at all."""
        super().prepare()
        raise tornado.web.HTTPError(404)


class Invite(Handler):
    """One more invitation, for a page on this computer to show."""

    def post(self) -> None:
        """POST /invite: the address with a new token, and its QR code as SVG."""
        if self.invitations is None or self.request.remote_ip not in ("127.0.0.1", "::1"):
            raise tornado.web.HTTPError(404)
        url = self.invitations.invite()
        self.set_header("Cache-Control", "no-store")
        self.finish({"url": url, "svg": qr_svg(url)})


class Ask(Handler):
    """A request with its answer, both JSON."""

    async def post(self) -> None:
        """POST /ask."""
        content, _ = await self.do(self.parsed(self.request.body))
        self.set_header("Cache-Control", "no-store")
        self.finish(content)


class Upload(Handler):
    """A picture from the visitor's own computer."""

    async def post(self) -> None:
        """POST /upload?q={"name": ...} with the picture as its body."""
        request = self.parsed(self.get_query_argument("q", "{}"))
        content, _ = await self.do({**request, "do": "upload"}, [self.request.body])
        self.finish(content)


class File(Handler):
    """A file that a request answers with: a large picture, a clip, an original, a table."""

    async def get(self, what: str) -> None:
        """GET /picture?q={"path": ...}, and so on; a range of it for players."""
        content, buffers = await self.do({**self.parsed(self.get_query_argument("q")), "do": what})
        if "error" in content:
            self.set_status(404)
            self.finish(content["error"])
            return
        self.set_header("Content-Type", content["type"])
        self.set_header("Cache-Control", "private, max-age=3600")
        if "name" in content:
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(content['name'])}")
        self.part(buffers[0])

    def part(self, body: bytes) -> None:
        """The whole, or the one range of bytes that a player asked for."""
        self.set_header("Accept-Ranges", "bytes")
        asked = self.request.headers.get("Range", "")
        first, dash, last = asked.removeprefix("bytes=").partition("-")
        if asked.startswith("bytes=") and dash and first.isdigit() and int(first) < len(body):
            end = min(int(last), len(body) - 1) if last.isdigit() else len(body) - 1
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {first}-{end}/{len(body)}")
            body = body[int(first) : end + 1]
        self.finish(body)


class Thumb(Handler):
    """A small picture of the index, by its content: it never changes."""

    async def get(self) -> None:
        """GET /thumb?digest=...&time_s=..."""
        time_s = self.get_query_argument("time_s", None)
        try:
            key = [self.get_query_argument("digest"), None if time_s is None else float(time_s)]
        except ValueError:
            raise tornado.web.HTTPError(400) from None
        _, jpegs = await self.do({"do": "thumbs", "keys": [key]})
        if not jpegs:
            raise tornado.web.HTTPError(404)
        self.set_header("Content-Type", "image/jpeg")
        self.set_header("Cache-Control", "private, max-age=31536000, immutable")
        self.finish(jpegs[0])


def application(service: Service, example: str = "", invitations: Invitations | None = None) -> tornado.web.Application:
    """The app on a service.

    Args:
        service: answers the pages.
        example: what a page asks when its address asks nothing.
        invitations: who may come from the local network. None: this computer alone is served, without a token.
    """
    hosts = LOCAL | {invitations.host} if invitations else LOCAL
    shared = {"service": service, "pool": ThreadPoolExecutor(THREADS), "hosts": hosts, "invitations": invitations}
    terms = [{"kind": "text", "value": example, "weight": 1}] if example else []
    options = json.dumps({"address": True, "endless": True, "terms": terms, "network": invitations is not None})
    own = {
        "/": (HERE.joinpath("page.html").read_bytes(), "text/html; charset=utf-8"),
        "/page.js": (HERE.joinpath("page.js").read_bytes(), "text/javascript; charset=utf-8"),
        "/start.js": (START.format(options=options).encode(), "text/javascript; charset=utf-8"),
        "/page.css": (f"{THEME}{HERE.joinpath('page.css').read_text()}".encode(), "text/css; charset=utf-8"),
    }
    pages = [(path, Page, {"body": body, "media_type": kind, **shared}) for path, (body, kind) in own.items()]
    asked = {"/ask": Ask, "/upload": Upload, "/thumb": Thumb, "/invite": Invite, rf"/({'|'.join(FILES)})": File}
    routes = [*pages, *((path, handler, shared) for path, handler in asked.items())]
    return tornado.web.Application(
        routes, compress_response=True, default_handler_class=Nothing, default_handler_args=shared
    )


async def serve(library: Library, port: int, browser: bool = True, example: str = "", phone: bool = False) -> None:
    """Serve until interrupted. The model is loaded before the first page is offered.

    Args:
        library: what is searched.
        port: where; 0 is not possible, for the address has to be told.
        browser: open the page in this computer's browser.
        example: what a fresh page asks.
        phone: serve the local network, to those who were invited.

    Raises:
        LibraryError: `phone`, and this computer is in no network.
    """
    invitations = Invitations(network_address(), port) if phone else None
    service = Service(library, copies=not phone)
    await asyncio.get_running_loop().run_in_executor(None, warm, service)
    app = application(service, example, invitations)
    server = tornado.httpserver.HTTPServer(app, max_body_size=MOST_UPLOAD_BYTES)
    server.listen(port, "0.0.0.0" if phone else "127.0.0.1")
    url = invitations.invite("localhost") if invitations else f"http://localhost:{port}/"
    print(f"The search page is at {url} (Ctrl-C ends it).", file=sys.stderr)
    if invitations:
        print(invitations.in_words(), file=sys.stderr)
    if browser:
        webbrowser.open(url)
    await asyncio.Event().wait()


def warm(service: Service) -> None:
    """Do once what is slow the first time: load the model, encode a text, list the pictures."""
    service.answer({"do": "about"})
    service.answer({"do": "ask", "terms": [{"kind": "text", "value": "a photo"}], "count": 1})
    service.answer({"do": "thumbs", "keys": [["", None]]})


def main(arguments: list[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cliplib.widgets.server", description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="of photos and videos, indexed before")
    parser.add_argument("--model", default="ViT-B/32")
    parser.add_argument("--port", type=int, default=8866)
    parser.add_argument("--example", default="", help="what a fresh page asks; without it, it shows the newest photos")
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.add_argument("--phone", action="store_true", help="serve the local network, to those whom you invite")
    chosen = parser.parse_args(arguments)
    try:
        library = Library(chosen.folder, model=chosen.model)
        asyncio.run(serve(library, chosen.port, not chosen.no_browser, chosen.example, chosen.phone))
    except (CliplibError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
