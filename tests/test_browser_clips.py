"""Clips in a real browser: they play, tell their true length, and begin with the picture that the source shows.

Needs Chromium (Debian: apt install chromium) and the videos of ../shared/media; skips where either is absent.
"""

import pytest

from cliplib.media.clip import write_clip
from cliplib.media.video import open_video
from cliplib.search.footage import PREVIEW
from tests.harness import servers
from tests.media.test_video import REAL

pytest.importorskip("playwright.sync_api")
pytestmark = servers.IN_CHROMIUM
SITE = "http://clips.test"  # no such host: the browser is given the page and the two videos by this test
START_S, LENGTH_S = 1.3, 2.0
PLAYED_S = 0.3
LIMIT = 8  # grey levels of 255, mean over 32 x 32 pixels of four channels
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
async function until(holds) {  // looks again and again for a minute
  for (let look = 0; look < 600 && !holds(); look++) await pause(100);
}
async function measure([start_s, played_s, limit]) {
  const clip = await opened('/clip'), told = {duration: clip.duration, width: clip.videoWidth};
  await seek(clip, 0.001);
  try {
    const source = await opened('/source');
    await seek(source, start_s);
    await until(() => {  // 'seeked' may be told before its picture can be drawn
      const [ours, theirs] = [pixels(clip), pixels(source)];
      told.difference = ours.reduce((sum, value, i) => sum + Math.abs(value - theirs[i]), 0) / ours.length;
      return told.difference < limit;
    });
  } catch (error) { told.unplayable = String(error); }
  await clip.play();
  await until(() => clip.currentTime >= played_s);
  told.played_s = clip.currentTime;
  return told;
}
</script>"""


@pytest.fixture(scope="module")
def browser():
    with servers.chromium() as browser:
        yield browser


@pytest.mark.parametrize("name", REAL)
def test_plays_for_its_length_and_begins_with_the_sources_picture(name, media, tmp_path, browser):
    with open_video(media / name) as source:
        start_s = min(START_S, source.facts.duration_s / 2)
        length_s = min(LENGTH_S, source.facts.duration_s - start_s)
    write_clip(media / name, tmp_path / "clip.mp4", start_s, start_s + length_s, PREVIEW)
    page = browser.new_page()
    page.route(f"{SITE}/", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    page.route(f"{SITE}/clip", lambda route: route.fulfill(path=tmp_path / "clip.mp4"))
    page.route(f"{SITE}/source", lambda route: route.fulfill(path=media / name))
    page.goto(SITE)
    told = page.evaluate("settings => measure(settings)", [start_s, PLAYED_S, LIMIT])
    page.close()
    assert told["duration"] == pytest.approx(length_s, abs=0.25)
    assert PLAYED_S <= told["played_s"] <= told["duration"] and told["width"] > 0
    if "unplayable" in told:
        assert "cannot play" in told["unplayable"]
    else:
        assert told["difference"] < LIMIT
