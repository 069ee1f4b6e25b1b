"""Reading ahead: many photos are read at once, as a mount likes it, and no more decoded than there are cores."""

import os
import threading
import time

from cliplib.cache import rows
from cliplib.index import pipeline
from cliplib.index.journal import Journal
from cliplib.index.pipeline import Finished, Reader, Sampling
from cliplib.index.sidecars import Sidecars
from cliplib.media import reading
from cliplib.media.files import find_media
from tests.harness.libraries import draw_picture


def new_reader(root, listing):
    """A reader that prepares nothing and knows nothing."""
    sidecars, journal = Sidecars(root, listing, rows.empty(4)), Journal(root / "cache")
    return Reader(root, Sampling(lambda image: None, 8, 1.0), lambda *_: False, journal, sidecars)


class Gauge:
    """How many threads are inside at most."""

    def __init__(self):
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __enter__(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_):
        with self.lock:
            self.now -= 1


def test_large_files_wait_for_one_another(tmp_path, monkeypatch):
    for number in range(12):
        draw_picture(tmp_path / f"{number:02d}.png", number, size=(32, 24))
    listing = find_media(tmp_path)
    held = Gauge()
    real_read = pipeline.read_bytes

    def read(path):
        with held:
            time.sleep(0.002)
            return real_read(path)

    monkeypatch.setattr(pipeline, "read_bytes", read)
    monkeypatch.setattr(pipeline, "BYTES_AT_ONCE", 2 * max(file.size for file in listing.files))
    files = [*listing.files, listing.files[0]._replace(size=10**9)]  # and one that is larger than all that may be held
    reader = new_reader(tmp_path, listing)
    events = list(reader.read(files))
    reader.journal.close()
    assert sum(isinstance(event, Finished) for event in events) == 13 and held.most <= 3


def test_many_are_read_and_few_are_decoded_at_once(tmp_path, monkeypatch):
    """Nobody goes on reading until as many as may read do so, and nobody decoding until both cores do."""
    for number in range(48):
        draw_picture(tmp_path / f"{number:02d}.png", number, size=(32, 24))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    opening, decoding = Gauge(), Gauge()
    all_read, both_decode = (threading.Barrier(count, timeout=20) for count in (pipeline.READERS, 2))
    real_open, real_photo = reading.open_file, pipeline.open_photo

    def open_file(*arguments):
        with opening:
            all_read.wait()
            return real_open(*arguments)

    def open_photo(*arguments, **options):
        with decoding:
            both_decode.wait()
            return real_photo(*arguments, **options)

    monkeypatch.setattr(reading, "open_file", open_file)
    monkeypatch.setattr(pipeline, "open_photo", open_photo)
    listing = find_media(tmp_path)
    reader = new_reader(tmp_path, listing)
    events = list(reader.read(listing.files))
    reader.journal.close()
    assert [e.file.path for e in events if isinstance(e, Finished)] == [f"{n:02d}.png" for n in range(48)]
    assert not [e.error for e in events if isinstance(e, Finished) and e.error]
    assert (opening.most, decoding.most) == (pipeline.READERS, 2)
