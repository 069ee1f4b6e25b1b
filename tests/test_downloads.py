"""The careful downloader against a local server that misbehaves in every way a real one does."""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.libraries import draw_picture

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "data"))
from downloads import Wanted, download


@pytest.fixture
def photo(tmp_path):
    """The bytes of a whole JPEG."""
    return draw_picture(tmp_path / "source.jpg", 7, size=(640, 480)).read_bytes()


@pytest.fixture
def server(photo):
    """A server of one photo under many addresses; `asked` holds the paths and ranges of all requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.path, self.headers.get("Range")))
            getattr(self, self.path.strip("/").split("/")[0])()

        def send(self, status, body=b"", length=None, **headers):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def good(self):
            self.send(200, photo)

        def moved(self):
            self.send(302, Location="/good")

        def missing(self):
            self.send(404)

        def forbidden(self):
            self.send(403)

        def busy(self):
            self.send(429)

        def page(self):
            self.send(200, b"<!doctype html><p>Sign in to download", Content_Type="image/jpeg")

        def cut(self):  # always breaks off half-way
            self.send(200, photo[: len(photo) // 2], length=len(photo))

        def resumes(self):  # breaks off half-way, then gives the rest to whoever asks for it
            wish = self.headers.get("Range")
            if wish is None:
                self.cut()
            else:
                rest = photo[int(wish.removeprefix("bytes=").rstrip("-")) :]
                self.send(206, rest, Content_Range=f"bytes {len(photo) - len(rest)}-{len(photo) - 1}/{len(photo)}")

        def slow(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(photo)))
            self.end_headers()
            for start in range(0, len(photo), 1000):
                self.wfile.write(photo[start : start + 1000])
                self.wfile.flush()
                time.sleep(0.1)

        def huge(self):
            self.send(200, length=10**12)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetch(server, tmp_path):
    """Download `photo.jpg` from paths of the server: the outcome."""

    def outcome(*paths, name="photo.jpg", **limits):
        addresses = [f"http://127.0.0.1:{server.server_port}/{path}" for path in paths]
        (one,) = download([Wanted(name, addresses)], tmp_path / "got", pause_s=0, progress=False, **limits)
        return one

    return outcome


@pytest.mark.parametrize("path", ["good", "moved", "resumes"])
def test_a_whole_photo_arrives(path, fetch, photo):
    outcome = fetch(path)
    assert outcome.state == "fetched"
    assert outcome.path.read_bytes() == photo


def test_what_is_there_is_not_asked_for(fetch, server):
    fetch("good")
    assert fetch("good").state == "here"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("path", "state", "reason"),
    [
        ("missing", "not found", "HTTP 404"),
        ("forbidden", "refused", r"refuses \(HTTP 403\)"),
        ("busy", "refused", r"fewer requests \(HTTP 429\)"),
        ("page", "not what it says", "HTML"),
        ("cut", "incomplete", r"of .* bytes came"),
        ("huge", "too large", "1,000,000,000,000 bytes"),
    ],
)
def test_each_failure_is_told_by_name_and_leaves_no_file(path, state, reason, fetch, tmp_path):
    outcome = fetch(path)
    assert outcome.state == state and outcome.path is None
    assert __import__("re").search(reason, outcome.reason)
    assert not (tmp_path / "got" / "photo.jpg").exists()


def test_a_slow_server_is_left_and_the_next_run_goes_on(fetch, server, photo):
    first = fetch("slow", limit_s=0.3)
    assert first.state == "too slow" and "the next run goes on" in first.reason
    assert fetch("resumes").path.read_bytes() == photo
    path, wish = server.asked[-1]
    assert path == "/resumes" and int(wish.removeprefix("bytes=").rstrip("-")) > 0


def test_the_next_address_is_tried(fetch):
    assert fetch("missing", "page", "good").state == "fetched"


def test_a_host_that_refuses_is_not_asked_again(server, tmp_path):
    base = f"http://127.0.0.1:{server.server_port}"
    wanted = [Wanted("a.jpg", [f"{base}/forbidden"]), Wanted("b.jpg", [f"{base}/good"])]
    first, second = download(wanted, tmp_path / "got", pause_s=0, progress=False)
    assert (first.state, second.state) == ("refused", "refused")
    assert "was not asked again" in second.reason and len(server.asked) == 1


def test_a_file_without_an_address_is_told(fetch):
    assert fetch(name="IMG_5913.JPG").state == "nowhere"


def test_no_network_is_told(tmp_path):
    (one,) = download([Wanted("a.jpg", ["http://127.0.0.1:9/a"])], tmp_path, pause_s=0, progress=False)
    assert one.state == "no answer"
