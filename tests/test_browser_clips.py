"""Clips in a real browser: they play, tell their true length, and begin with the picture that the source shows.

Needs Chromium (Debian: apt install chromium) and the videos of ../shared/media; skips where either is absent.
"""

import functools
import json
import os
import queue
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cliplib.media.video import open_video
from cliplib.search.clips import write_clip
from cliplib.search.footage import PREVIEW
from tests.media.test_video import REAL

pytest.importorskip("av")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt install chromium)"),
]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
]
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
START_S, LENGTH_S = 1.3, 2.0
LIMIT = 8  # grey levels of 255, mean over 32 x 32 pixels of four channels
DEADLINE_S = 120
PAGE = """<!doctype html><script>
const event = (video, name) => new Promise((done, fail) => {
  video.addEventListener(name, done, {once: true});
  video.addEventListener('error', () => fail(new Error('cannot play: ' + video.error.message)), {once: true});
});
async function opened(url) {
  const blob = await (await fetch(url)).blob(), video = document.createElement('video');
  video.muted = true; video.preload = 'auto';
  const loaded = event(video, 'loadeddata');
  video.src = URL.createObjectURL(blob);
  await loaded;
  return video;
}
async function seek(video, time_s) {
  const there = event(video, 'seeked');
  video.currentTime = time_s;
  await there;
}
function pixels(video) {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 32;
  const pen = canvas.getContext('2d');
  pen.drawImage(video, 0, 0, 32, 32);
  return Array.from(pen.getImageData(0, 0, 32, 32).data);
}
const pause = ms => new Promise(done => setTimeout(done, ms));
async function sameMoment(clip, source) {
  let difference = Infinity;  // 'seeked' may be told before its picture can be drawn: look again for a while
  for (let look = 0; look < 40 && difference >= LIMIT; look++, await pause(100)) {
    const [ours, theirs] = [pixels(clip), pixels(source)];
    difference = ours.reduce((sum, value, i) => sum + Math.abs(value - theirs[i]), 0) / ours.length;
  }
  return difference;
}
async function measure() {
  const clip = await opened('/clip'), told = {duration: clip.duration, width: clip.videoWidth};
  await seek(clip, 0.001);
  try {
    const source = await opened('/source');
    await seek(source, START_S);
    told.difference = await sameMoment(clip, source);
  } catch (error) { told.unplayable = String(error); }
  await clip.play();
  await pause(700);
  clip.pause();
  told.played_s = clip.currentTime;
  return told;
}
measure().catch(error => ({failed: String(error)}))
  .then(told => fetch('/told', {method: 'POST', body: JSON.stringify(told)}));
</script>"""


class Handler(BaseHTTPRequestHandler):
    """Serves the page and the two videos, and puts what the page has measured into a queue."""

    def __init__(self, bodies, told, *args):
        self.bodies, self.told = bodies, told
        super().__init__(*args)

    def do_GET(self):
        body = self.bodies.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "text/html" if self.path == "/" else "video/mp4")
        self.end_headers()
        self.wfile.write(body or b"")

    def do_POST(self):
        self.told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def measured_in_chromium(clip, source, start_s, profile):
    """What the page tells of the two videos (bytes)."""
    told = queue.Queue()
    page = PAGE.replace("START_S", str(start_s)).replace("LIMIT", str(LIMIT))
    bodies = {"/": page.encode(), "/clip": clip, "/source": source}
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, bodies, told))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0"]
    browser = subprocess.Popen(
        [*command, f"http://127.0.0.1:{server.server_port}/"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name not in PROXIES},
    )
    try:
        return told.get(timeout=DEADLINE_S)
    finally:
        browser.terminate()
        browser.wait(timeout=30)
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name", REAL)
def test_plays_for_its_length_and_begins_with_the_sources_picture(name, media, tmp_path):
    with open_video(media / name) as source:
        start_s = min(START_S, source.facts.duration_s / 2)
        length_s = min(LENGTH_S, source.facts.duration_s - start_s)
    file = tmp_path / "clip.mp4"
    write_clip(media / name, file, start_s, start_s + length_s, PREVIEW)
    told = measured_in_chromium(file.read_bytes(), (media / name).read_bytes(), start_s, tmp_path / "profile")
    assert "failed" not in told, told["failed"]
    assert told["duration"] == pytest.approx(length_s, abs=0.25)
    assert 0 < told["played_s"] <= told["duration"] and told["width"] > 0
    if "difference" in told:
        assert told["difference"] < LIMIT
    else:
        assert "cannot play" in told["unplayable"]
