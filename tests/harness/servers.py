"""Servers and a browser for tests: the app and JupyterLab, each with folders of its own; Chromium; a web in small."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.harness.patience import Patience, patience_s

REPO = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
FLAGS += ["--disable-component-update", "--disable-dev-shm-usage", "--no-first-run"]
IN_CHROMIUM = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt install chromium)"),
]
PATIENCE_S = 120  # of a quiet machine, see `patience`; a page that is right is taken as soon as it is
# JupyterLab asks no other computer for news, and draws whole notebooks rather than what is in sight.
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy there is, this is not for it

# Read by every kernel before its first cell: notes each text and picture that is encoded in the file $ENCODINGS.
COUNT = """
import os
from cliplib.models.clip_encoder import ClipEncoder
def counted(name, encode):
    def encode_and_note(self, things, *arguments, **options):
        with open(os.environ["ENCODINGS"], "a") as log:
            log.writelines([name + "\\n"] * len(things))
        return encode(self, things, *arguments, **options)
    return encode_and_note
for name in ("encode_texts", "encode_images"):
    setattr(ClipEncoder, name, counted(name, getattr(ClipEncoder, name)))
"""


def free_port():
    """A port of this computer that nobody listens on, of those that are never given out to whoever asks for any."""
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)  # tests seed the other random numbers alike
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def own_environment(home, **more):
    """The environment of a server that keeps all its own files in the folder `home`, and notes what kernels encode."""
    files = {home / "ipython" / "profile_default" / "startup" / "count.py": COUNT, home / "encodings.txt": ""}
    for name, settings in SETTINGS.items():
        file = home / "jupyter" / "lab" / "user-settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        files[file] = json.dumps(settings)
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env.update(HOME=str(home), BROWSER="true", PYTHONPATH=str(REPO), ENCODINGS=str(home / "encodings.txt"))
    env.update(IPYTHONDIR=str(home / "ipython"), JUPYTER_CONFIG_DIR=str(home / "jupyter"))
    env.update(JUPYTER_DATA_DIR=str(home / "data"), JUPYTER_RUNTIME_DIR=str(home / "runtime"))
    return {**env, **{name: str(value) for name, value in more.items()}}


@contextlib.contextmanager
def serving(command, url, home, env):
    """Run a server until the block ends, then end it with all that it started; waits until `url` answers."""
    with open(home / "server.log", "wb") as log:
        server = subprocess.Popen(
            [str(part) for part in command],
            cwd=REPO,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(url, server, home)
            yield
        finally:
            end(server)


def wait_for(url, server, home):
    """Return when `url` answers, whatever it says; the server's last words where it does not."""
    patience = Patience(PATIENCE_S)
    while server.poll() is None and patience:
        with contextlib.suppress(OSError):
            status(url, limit_s=patience_s(5))
            return
        time.sleep(0.1)
    raise AssertionError(f"{url} does not answer:\n{(home / 'server.log').read_text(errors='replace')[-3000:]}")


def end(server):
    """Ask the server's whole group of processes to end, and see that it does."""
    for ask in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, ask)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(patience_s(30))
            return


def status(url, limit_s=None, **headers):
    """The HTTP status that `url` is answered with in the end, after redirections."""
    limit_s = limit_s or patience_s(60)
    try:
        with DIRECT.open(urllib.request.Request(url, headers=headers), timeout=limit_s) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


@contextlib.contextmanager
def serving_app(home, folder, model="tiny", phone=False):
    """The app on a library, as `make app` serves it, `phone`: with PHONE=1; gives its address."""
    port = free_port()
    command = ["make", "--no-print-directory", "app", f"FOLDER={folder}", f"MODEL={model}", f"PORT={port}"]
    command += ["PYTHON=true", f"BIN={Path(sys.executable).parent}"]  # this environment, as it is
    command += ["PHONE=1"] if phone else []
    with serving(command, f"http://localhost:{port}/", home, own_environment(home)):
        yield f"http://localhost:{port}/"


@contextlib.contextmanager
def serving_voila(home, notebook, **env):
    """A notebook as Voilà serves it, with the configuration beside the app's; gives its address."""
    port = free_port()
    command = [sys.executable, "-m", "voila", notebook, f"--port={port}", "--no-browser"]
    command += ["--Voila.config_file_paths=notebooks"]
    with serving(command, f"http://localhost:{port}/voila/static/", home, own_environment(home, **env)):
        yield f"http://localhost:{port}/"


@contextlib.contextmanager
def serving_lab(home, notebooks, **env):
    """JupyterLab on a folder of notebooks, as `make lab` opens it; gives the address before a notebook's name."""
    port = free_port()
    large = re.search(r"^LARGE := (.+)$", (REPO / "Makefile").read_text(), re.M).group(1)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--IdentityProvider.token=", f"--ServerApp.root_dir={notebooks}", "--expose-app-in-browser"]
    command += [f"--ServerApp.tornado_settings={large}"]
    with serving(command, f"http://localhost:{port}/api", home, own_environment(home, **env)):
        yield f"http://localhost:{port}/doc/tree/"


def add_kernel(home, name, python):
    """A kernel of another Python, for the servers whose files lie in the folder `home`."""
    spec = home / "data" / "kernels" / name / "kernel.json"
    spec.parent.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": command, "display_name": name, "language": "python"}))


@contextlib.contextmanager
def chromium(**context):
    """A page maker in a fresh Chromium: pages know each other's cookies and nothing of this computer's user."""
    from playwright.sync_api import expect, sync_playwright

    limit_ms = 1000 * patience_s(PATIENCE_S)
    expect.set_options(timeout=limit_ms)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=limit_ms)
        try:
            made = browser.new_context(**context)
            made.set_default_timeout(limit_ms)
            yield made
        finally:
            browser.close()


def run_notebook(page, url, wait=True):
    """Open a notebook in JupyterLab, run all its cells, and unless told otherwise wait until the last has ended."""
    page.goto(url)
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel")
    run = "jupyterapp.commands.execute('notebook:run-all-cells')"
    page.evaluate(f"() => {run}" if wait else f"() => {{ {run} }}")


class Silent(BaseHTTPRequestHandler):
    """A handler of requests that writes no log; `send` answers with a body, of which it may claim another length."""

    def send(self, status, body=b"", length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def answering(handler):
    """A local web server whose requests a class of handlers answers; gives its address, without a slash at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
