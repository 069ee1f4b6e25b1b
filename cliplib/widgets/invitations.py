"""Who may come from the local network: `make app PHONE=1`.

An invitation is the page's address with a token, drawn as a QR code. The first browser that brings the token gets a
cookie for it, and the token is used up: whoever finds it later, in a photo of the screen or a browser's history, finds
nothing. All of it is plain HTTP: others in the same network could read along, which the page says.
"""

from __future__ import annotations

import io
import secrets
import socket
from typing import Any

from ..errors import LibraryError

COOKIE = "cliplib-visitor"
TOKEN_BYTES = 18  # 144 bits, 24 letters
MOST_UNUSED = 20  # invitations that wait; an older one lapses

HINT = """
On a phone in the same network, point the camera at this, or open the address (once, on one device):
{url}
This is plain HTTP, for a network at home: others in the same network could read what you ask and see.
"""


class Invitations:
    """The tokens that wait for somebody, and the visitors who have brought one.

    Args:
        host: this computer's address in the local network, as a phone names it.
        port: where the app is served.
    """

    def __init__(self, host: str, port: int):
        self.host, self.port = host, port
        self._tokens: list[str] = []
        self._visitors: set[str] = set()

    def invite(self, host: str | None = None) -> str:
        """The page's address with a new token, which lets one browser in, once."""
        self._tokens = [*self._tokens[1 - MOST_UNUSED :], secrets.token_urlsafe(TOKEN_BYTES)]
        return f"http://{host or self.host}:{self.port}/?token={self._tokens[-1]}"

    def redeem(self, token: str) -> str | None:
        """The cookie of a new visitor for an unused token, which is used up; None for any other."""
        found = [known for known in self._tokens if secrets.compare_digest(known.encode(), token.encode())]
        if not found:
            return None
        self._tokens.remove(found[0])
        visitor = secrets.token_urlsafe(TOKEN_BYTES)
        self._visitors.add(visitor)
        return visitor

    def knows(self, visitor: str) -> bool:
        """Whether a cookie is that of somebody who was let in."""
        return any(secrets.compare_digest(known.encode(), visitor.encode()) for known in self._visitors)

    def in_words(self) -> str:
        """A new invitation for the terminal: a QR code where `segno` is installed, the address, and what HTTP means."""
        url, drawn = self.invite(), io.StringIO()
        if code := _qr(url):
            code.terminal(out=drawn, compact=True)
        return drawn.getvalue() + HINT.format(url=url)


def network_address() -> str:
    """This computer's address in its local network, such as "192.168.1.20".

    Raises:
        LibraryError: it is in no network.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # sends nothing: it only chooses the way there (RFC 5737's test address)
            host = asking.getsockname()[0]
        except OSError:
            host = "127.0.0.1"
    if host.startswith("127."):
        raise LibraryError("this computer is in no network that a phone could reach it by: connect it, then try again")
    return host


def qr_svg(url: str) -> str:
    """The address as a QR code, an SVG element; "" without `segno`."""
    return code.svg_inline(scale=6, border=4, light="#fff") if (code := _qr(url)) else ""


def _qr(url: str) -> Any:
    """The QR code of an address; None without `segno`, which is all that the extra `phone` installs."""
    try:
        import segno
    except ImportError:
        return None
    return segno.make(url, error="m", micro=False)
