"""The app's server: it starts soon, answers this computer alone, and gives away no file."""

import http.client
import os
import time
from urllib.parse import quote, urlsplit

import pytest

from tests import servers
from tests.libraries import draw_picture

pytest.importorskip("voila")
pytestmark = pytest.mark.slow
START_S = 15
PHOTO = "holiday.jpg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A library of one photo."""
    return draw_picture(tmp_path_factory.mktemp("my library") / PHOTO, 1).parent


@pytest.fixture(scope="module")
def app(tmp_path_factory, folder):
    """The address of the app on that library."""
    with servers.serving_app(tmp_path_factory.mktemp("app"), folder) as url:
        yield url


def answer(app, path, host=None):
    """The last status and body for a path sent exactly as it is, redirections followed in the same way."""
    address = urlsplit(app)
    for _ in range(5):
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=servers.PATIENCE_S)
        connection.request("GET", path, headers={"Host": host or address.netloc})
        got = connection.getresponse()
        body, path = got.read(), got.headers.get("Location")
        connection.close()
        if path is None:
            return got.status, body
    raise AssertionError("redirected without end")


OUTSIDE = [
    "/etc/passwd",
    "//etc/passwd",
    "/../../../../etc/passwd",
    "/app.ipynb",
    "/notebooks/app.ipynb",
    "/voila/files/app.ipynb",
    "/voila/files/notebooks/app.ipynb",
    "/voila/files/README.md",
    "/voila/files/../README.md",
    "/voila/files/..%2fREADME.md",
    "/voila/files/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/voila/files/%252e%252e/%252e%252e/etc/passwd",
    "/voila/files/..%5c..%5cetc%5cpasswd",
    "/voila/files//etc/passwd",
    "/voila/files/%2fetc%2fpasswd",
    "/voila/files/data/sample/hills/IMG_0002.jpg",
    "/voila/static/../../../../../../../../etc/passwd",
    "/voila/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/voila/labextensions/../../../../../../../../etc/passwd",
    "/voila/api/themes/../../../../../../../../etc/passwd",
    "/voila/render/app.ipynb",
    "/voila/tree",
    "/voila/api/contents",
    "/api/contents",
    "/api/contents/app.ipynb",
    "/api/kernels",
    "/api/kernelspecs",
    "/api/sessions",
    "/api/terminals",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_file_is_served_under_any_name(app, path):
    assert answer(app, path)[0] in (403, 404)


def test_not_even_the_librarys_own_files_are_served(app, folder):
    """Thumbnails and clips lie inside the page."""
    for path in (PHOTO, folder / PHOTO, f"..{folder / PHOTO}"):
        assert answer(app, quote(f"/voila/files/{path}"))[0] in (403, 404)


def test_a_name_that_leads_here_from_elsewhere_is_refused(app):
    """A web page could point a name of its own at this computer, and read what it answers."""
    assert answer(app, "/", host="photos.example:80")[0] == 403


def test_the_page_shows_no_code_and_the_library_stays_as_it_was(app, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}
    status, page = answer(app, "/")
    assert status == 200
    assert b"jupyter.widget-view+json" in page and b"CLIPLIB_FOLDER" not in page and b"import cliplib" not in page
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()} == before


def test_a_folder_that_is_not_there_is_said_before_anything_is_served(tmp_path):
    with (
        pytest.raises(AssertionError, match="nowhere is not there"),
        servers.serving_app(tmp_path, tmp_path / "nowhere"),
    ):
        pass


def test_starts_in_time(tmp_path):
    if os.getloadavg()[0] > 1.5 * os.cpu_count():
        pytest.skip("this computer is busy: a time measured now says nothing")
    seconds = []
    while len(seconds) < 3 and min(seconds, default=START_S) >= START_S:
        home = tmp_path / str(len(seconds))
        home.mkdir()
        started = time.monotonic()
        with servers.serving_app(home, "data/sample"):
            seconds.append(time.monotonic() - started)
    if min(seconds) >= START_S and os.getloadavg()[0] > os.cpu_count():
        pytest.skip("this computer became busy while the app started")
    assert min(seconds) < START_S
