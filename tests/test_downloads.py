"""The careful downloader against a local server that misbehaves in every way a real one does."""

import re
import time
from types import SimpleNamespace

import pytest

from data.paper.downloads import Wanted, download
from tests.harness.libraries import draw_picture
from tests.harness.servers import Silent, answering


@pytest.fixture
def photo(tmp_path):
    """The bytes of a whole JPEG."""
    return draw_picture(tmp_path / "source.jpg", 7, size=(640, 480)).read_bytes()


@pytest.fixture
def other(tmp_path):
    """The bytes of another whole JPEG."""
    return draw_picture(tmp_path / "other.jpg", 8, size=(640, 480)).read_bytes()


@pytest.fixture
def server(photo, other):
    """A server of one photo under many addresses: its `address`; `asked` holds the paths and ranges of all requests."""
    asked = []

    class Handler(Silent):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Range")))
            getattr(self, self.path.strip("/"))()

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
            self.send(200, length=len(photo))
            for start in range(0, len(photo), 1000):
                self.wfile.write(photo[start : start + 1000])
                self.wfile.flush()
                time.sleep(0.1)

        def chunks(self):  # without a length, and breaks off before the end is told
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"400\r\n" + photo[:1024] + b"\r\n")

        def another(self):  # gives a photo of its own, or the rest of it
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            self.send(206 if start else 200, other[start:])

        def huge(self):
            self.send(200, length=10**12)

    with answering(Handler) as address:
        yield SimpleNamespace(address=address, asked=asked)


@pytest.fixture
def fetch(server, tmp_path):
    """Download `photo.jpg` from paths of the server: the outcome."""

    def outcome(*paths, name="photo.jpg", **limits):
        addresses = [f"{server.address}/{path}" for path in paths]
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
        ("chunks", "incomplete", r"broke after [\d,]+ bytes"),
        ("huge", "too large", "1,000,000,000,000 bytes"),
    ],
)
def test_each_failure_is_told_by_name_and_leaves_no_file(path, state, reason, fetch, tmp_path):
    outcome = fetch(path)
    assert outcome.state == state and outcome.path is None
    assert re.search(reason, outcome.reason)
    assert not (tmp_path / "got" / "photo.jpg").exists()


def test_a_slow_server_is_left_and_the_next_run_goes_on(fetch, server, photo):
    first = fetch("slow", limit_s=0.3)
    assert first.state == "too slow" and "the next run goes on" in first.reason
    assert fetch("resumes").path.read_bytes() == photo
    path, wish = server.asked[-1]
    assert path == "/resumes" and int(wish.removeprefix("bytes=").rstrip("-")) > 0


def test_the_next_address_is_tried(fetch):
    assert fetch("missing", "page", "good").state == "fetched"


def test_what_came_of_one_address_is_no_beginning_of_what_another_has(fetch, other):
    assert fetch("cut", "another").path.read_bytes() == other


def test_a_host_that_refuses_is_not_asked_again(server, tmp_path):
    wanted = [Wanted("a.jpg", [f"{server.address}/forbidden"]), Wanted("b.jpg", [f"{server.address}/good"])]
    first, second = download(wanted, tmp_path / "got", pause_s=0, progress=False)
    assert (first.state, second.state) == ("refused", "refused")
    assert "was not asked again" in second.reason and len(server.asked) == 1


def test_a_file_without_an_address_is_told(fetch):
    assert fetch(name="IMG_5913.JPG").state == "nowhere"


def test_no_network_is_told(tmp_path):
    (one,) = download([Wanted("a.jpg", ["http://127.0.0.1:9/a"])], tmp_path, pause_s=0, progress=False)
    assert one.state == "no answer"
