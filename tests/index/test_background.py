"""Searching while indexing goes on, and stopping it."""

import threading

import pytest

import cliplib
from cliplib import models
from cliplib.errors import LibraryError, QueryError
from cliplib.index import update as index
from tests.harness.libraries import draw_picture
from tests.harness.patience import patience_s


@pytest.fixture
def library(tmp_path, weights):
    for number in range(12):
        draw_picture(tmp_path / "photos" / f"{number:02d}.jpg", number)
    library = cliplib.Library(tmp_path / "photos", model=weights, device="cpu", precision="fp32")
    library.encoder.batch_size = 2
    return library


@pytest.fixture
def gate(library, monkeypatch):
    """Holds the run after its second batch until `set`; checkpoints come with every batch."""
    monkeypatch.setattr(index, "CHECKPOINT_FILES", 1)
    gate, held, real, batches = threading.Event(), threading.Event(), library.encoder.encode_images, []

    def encode(images, *options):
        batches.append(len(images))
        if len(batches) == 3:
            held.set()
            assert gate.wait(patience_s(20))
        return real(images, *options)

    monkeypatch.setattr(library.encoder, "encode_images", encode)
    gate.held = held
    return gate


def test_a_search_in_mid_run_finds_what_is_saved(library, gate):
    run = library.index_in_background()
    assert gate.held.wait(patience_s(20)) and run.running and run.report is None
    found = library.search("a dog", k=99, threshold=-1)
    assert 0 < len(found) < 12 and "goes on" in str(run)
    with pytest.raises(LibraryError, match="goes on already"):
        library.index_in_background()
    gate.set()
    assert run.wait().indexed == 12 and not run.running
    assert len(library.search("a dog", k=99, threshold=-1)) == 12


def test_stop_saves_and_the_next_run_goes_on(library, gate):
    run = library.index_in_background()
    assert gate.held.wait(patience_s(20))
    threading.Timer(0.2, gate.set).start()
    run.stop()
    assert run.report is None and "was stopped" in str(run)
    library.refresh()
    saved = len(library)
    assert 0 < saved < 12
    assert library.index(progress=False).indexed == 12 - saved


def test_what_stops_it_is_raised_by_wait(library):
    library.index(progress=False)
    for file in library.root.glob("*.jpg"):
        file.unlink()
    run = library.index_in_background()
    with pytest.raises(LibraryError, match="holds no photo or video"):
        run.wait()
    assert "failed" in str(run)


@pytest.mark.parametrize("error", [RuntimeError("no kernel image for this GPU"), MemoryError()])
def test_an_error_that_nobody_expects_is_not_silent(library, monkeypatch, error):
    monkeypatch.setattr(library.encoder, "encode_images", lambda images: (_ for _ in ()).throw(error))
    run = library.index_in_background()
    with pytest.raises(type(error)):
        run.wait()
    assert "failed" in str(run)


def test_a_sampling_interval_that_is_none_loses_nothing(library):
    library.index(progress=False)
    with pytest.raises(QueryError, match="every_s is -1: .* more than 0"):
        library.index_in_background(every_s=-1).wait()


def test_the_model_is_loaded_before_the_thread_begins(tmp_path, weights, monkeypatch):
    """Two threads that need it at once would load two."""
    draw_picture(tmp_path / "a.jpg", 1)
    threads, load = [], models.load

    def noted(*arguments, **options):
        threads.append(threading.current_thread())
        return load(*arguments, **options)

    monkeypatch.setattr(models, "load", noted)
    cliplib.Library(tmp_path, model=weights, device="cpu", precision="fp32").index_in_background().wait()
    assert threads == [threading.main_thread()]
