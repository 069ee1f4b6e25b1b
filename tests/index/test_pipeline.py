"""Reading ahead: many photos are read at once, as a mount likes it, and no more decoded than there are cores."""

import os
import threading
import time
from pathlib import Path

from cliplib.cache import rows
from cliplib.index import pipeline
from cliplib.index.companions import Companions
from cliplib.index.journal import Journal
from cliplib.index.pipeline import Finished, Reader
from cliplib.media import reading
from cliplib.media.files import find_media
from tests.libraries import draw_picture


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


def test_many_are_read_and_few_are_decoded_at_once(tmp_path, monkeypatch):
    for number in range(48):
        draw_picture(tmp_path / f"{number:02d}.png", number, size=(32, 24))
    opening, decoding = Gauge(), Gauge()
    real_open, real_photo = reading.open_file, pipeline.open_photo

    def open_file(*arguments):
        with opening:
            time.sleep(0.02)
            return real_open(*arguments)

    def open_photo(*arguments, **options):
        with decoding:
            time.sleep(0.002)
            return real_photo(*arguments, **options)

    monkeypatch.setattr(reading, "open_file", open_file)
    monkeypatch.setattr(pipeline, "open_photo", open_photo)
    listing = find_media(tmp_path)
    companions = Companions(tmp_path, listing, rows.empty(4))
    journal = Journal(Path(tmp_path / "cache"))
    reader = Reader(tmp_path, lambda image: None, 8, 1.0, lambda *_: False, journal, companions)
    events = list(reader.read(listing.files))
    journal.close()
    assert [e.file.path for e in events if isinstance(e, Finished)] == [f"{n:02d}.png" for n in range(48)]
    assert os.cpu_count() < opening.most <= pipeline.READERS or os.cpu_count() >= pipeline.READERS
    assert 1 <= decoding.most <= os.cpu_count()
