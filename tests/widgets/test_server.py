"""The app's server: it starts soon, answers this computer alone, and gives away no file."""

import http.client
import json
import re
import resource
from urllib.parse import quote, urlsplit

import pytest

from tests.harness import servers
from tests.harness.libraries import draw_picture
from tests.harness.patience import patience_s

pytestmark = pytest.mark.slow
START_S = 15  # of processor time: indexing the sample again, and the server
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


def sent(app, method, path, body, headers):
    """Status and body of one request."""
    got = response(app, method, path, body, headers)
    return got.status, got.read()


def response(app, method, path, body=b"", headers={}):  # noqa: B006 (never changed)
    """The answer to one request, which is not followed anywhere."""
    connection = http.client.HTTPConnection(urlsplit(app).netloc, timeout=patience_s(servers.PATIENCE_S))
    connection.request(method, path, body if method == "POST" else None, headers)
    return connection.getresponse()


def answer(app, path, host=None):
    """The last status and body for a path sent exactly as it is, redirections followed in the same way."""
    address = urlsplit(app)
    for _ in range(5):
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=patience_s(servers.PATIENCE_S))
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
    "/page.js/../../../../etc/passwd",
    "/page.css%00.jpg",
    "/service.py",
    "/server.py",
    "/..%2fpage.py",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/%252e%252e/etc/passwd",
    "/..%5c..%5cetc%5cpasswd",
    "/notebooks/app.ipynb",
    "/voila/files/README.md",
    "/api/kernels",
    "/api/contents",
    "/tree",
    f"/{PHOTO}",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_file_is_served_under_any_name(app, path):
    assert answer(app, path)[0] in (403, 404)


def asked(app, what, **request):
    """Status and body of a request for one file, such as "picture"."""
    return answer(app, f"/{what}?q={quote(json.dumps(request))}")


def test_files_of_the_index_are_served_and_no_others(app, folder):
    (folder / "secret.txt").write_text("not in the index")
    assert asked(app, "file", path=PHOTO) == (200, (folder / PHOTO).read_bytes())
    assert asked(app, "picture", path=PHOTO)[1].startswith(b"\xff\xd8")
    for path in (
        "secret.txt",
        "../secret.txt",
        str(folder / PHOTO),
        f"./{PHOTO}",
        f"sub/../{PHOTO}",
        "/etc/passwd",
        "",
    ):
        for what in ("file", "picture", "clip", "save_clip"):
            status, body = asked(app, what, path=path, start_s=0, end_s=1)
            assert status == 404 and b"not in the index" not in body.replace(b"is not in the index", b"")


def test_a_name_that_leads_here_from_elsewhere_is_refused(app):
    """A web page could point a name of its own at this computer, and read what it answers."""
    assert answer(app, "/", host="photos.example:80")[0] == 403


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://photos.example"}]
)
def test_another_sites_requests_through_the_browser_are_refused(app, headers):
    for method, path in (("GET", "/thumb?digest=0"), ("POST", "/ask"), ("POST", "/upload"), ("GET", "/file?q={}")):
        assert sent(app, method, path, b"{}", headers)[0] == 403


def test_no_request_of_a_page_breaks_the_app(app):
    for body in (b"", b"[]", b"no json", b'{"do": "answer"}', b'{"do": "__init__"}', b'{"do": "ask", "terms": 3}'):
        status, said = sent(app, "POST", "/ask", body, {})
        assert status in (200, 400) and (status == 400 or b'"error"' in said)
    assert answer(app, "/file?q=[]")[0] in (400, 404)
    assert answer(app, "/thumb?digest=0&time_s=x")[0] in (400, 404)
    assert answer(app, "/")[0] == 200


def test_the_page_says_what_it_is_and_asks_nobody_else(app):
    """A language and a heading for screen readers; a policy that lets the browser talk to this server alone."""
    connection = http.client.HTTPConnection(urlsplit(app).netloc, timeout=patience_s(servers.PATIENCE_S))
    connection.request("GET", "/")
    got = connection.getresponse()
    page, policy = got.read().decode(), got.headers["Content-Security-Policy"]
    assert '<html lang="en">' in page and page.count("<h1>") == 1
    assert "default-src 'self'" in policy and "http:" not in policy and "*" not in policy


def test_the_library_stays_as_it_was(app, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}
    sent(app, "POST", "/ask", json.dumps({"do": "ask", "terms": [{"kind": "text", "value": "a dog"}]}).encode(), {})
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()} == before


GUARDED = ["/", "/page.js", "/start.js", "/page.css", "/thumb?digest=0", "/nowhere", "/service.py"]
GUARDED += [f"/{what}?q=%7B%7D" for what in ("picture", "clip", "file", "save_clip", "export", "uploaded")]


@pytest.fixture(scope="module")
def network(tmp_path_factory, folder):
    """The app as `make app PHONE=1` serves it: by the computer's name in the network, by its own, and what it said."""
    home = tmp_path_factory.mktemp("phone")
    with servers.serving_app(home, folder, phone=True) as url:
        said = (home / "server.log").read_text()
        yield re.findall(r"^(http://[0-9.]+:\d+/)\?token=", said, re.M)[0], url, said


class TestPhone:
    @pytest.mark.parametrize("cookie", [None, "cliplib-visitor=guessed", "cliplib-visitor="])
    def test_nothing_is_served_to_who_was_not_invited(self, network, cookie):
        headers = {"Cookie": cookie} if cookie else {}
        for app in network[:2]:
            for path in (*GUARDED, "/?token=guessed", "/?token=", "/page.js?token=guessed"):
                assert sent(app, "GET", path, b"", headers) == (403, b"403"), path
            for path in ("/ask", "/upload", "/invite"):
                assert sent(app, "POST", path, b'{"do": "about"}', headers) == (403, b"403"), path

    def test_a_token_lets_one_browser_in_once(self, network):
        address, _, said = network
        tokens = re.findall(r"token=(\S+)", said)
        assert len(set(tokens)) == 2  # one for this computer's browser, one for the phone
        assert sent(address, "GET", f"/page.js?token={tokens[1]}", b"", {})[0] == 403  # the page alone redeems it
        welcome = response(address, "GET", f"/?token={tokens[1]}")
        assert welcome.status == 303 and welcome.headers["Location"] == "/"
        cookie, *limits = welcome.headers["Set-Cookie"].split("; ")
        assert {"HttpOnly", "SameSite=Lax"} <= set(limits)
        assert sent(address, "GET", f"/?token={tokens[1]}", b"", {}) == (403, b"403")
        visitor = {"Cookie": cookie}
        assert sent(address, "GET", "/", b"", visitor)[0] == 200
        assert b'"photos": 1' in sent(address, "POST", "/ask", b'{"do": "about"}', visitor)[1]
        assert sent(address, "GET", "/", b"", {**visitor, "Host": "photos.example"})[0] == 403

    def test_a_visitor_writes_nothing_on_the_computer_and_invites_nobody(self, network):
        address, local, said = network
        welcome = response(local, "GET", "/?token=" + re.findall(r"token=(\S+)", said)[0])
        visitor = {"Cookie": welcome.headers["Set-Cookie"].split(";")[0]}
        copy = b'{"do": "copy", "paths": [], "folder": "x"}'
        assert b"may not copy" in sent(address, "POST", "/ask", copy, visitor)[1]
        assert sent(address, "POST", "/invite", b"", visitor)[0] == 404
        assert b"<svg" in sent(local, "POST", "/invite", b"", visitor)[1]  # on the computer itself

    def test_says_that_others_could_read_along(self, network):
        assert "plain HTTP, for a network at home" in network[2]


def test_a_folder_that_is_not_there_is_said_before_anything_is_served(tmp_path):
    with (
        pytest.raises(AssertionError, match="nowhere is not there"),
        servers.serving_app(tmp_path, tmp_path / "nowhere"),
    ):
        pass


def test_starts_in_time(tmp_path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with servers.serving_app(tmp_path, "data/sample"):
        pass
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert 1 < after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < START_S
