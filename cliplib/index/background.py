"""Indexing while one already searches: the same run in a thread, with a store of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from ..cache.store import Store
from .pipeline import Finished, Reader, Sample
from .report import IndexReport


class Indexing:
    """An index run that goes on in a thread.

    The library's searches find what it has saved so far: photos first, the newest first.

    Attributes:
        report: None until the run has ended well.
        error: what stopped it, else None.

    Args:
        store: the cache that it writes; nobody else may use this object meanwhile.
        run: `update` but for its `read`, and the `options` that are given to it.
    """

    def __init__(self, store: Store, run: Callable[..., IndexReport], **options: Any) -> None:
        self.report: IndexReport | None = None
        self.error: Exception | None = None
        self._store, self._index, self._stop = store, run, threading.Event()
        self._thread = threading.Thread(target=self._run, kwargs=options, name="cliplib-index", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def wait(self, timeout_s: float | None = None) -> IndexReport | None:
        """Wait until it has ended, or for `timeout_s`; the report. Raises what stopped the run."""
        self._thread.join(timeout_s)
        if self.error:
            raise self.error
        return self.report

    def stop(self) -> None:
        """Finish the batch in hand, save, and end, as Ctrl-C does; the next run goes on from there."""
        self._stop.set()
        self._thread.join()

    def _run(self, **options: Any) -> None:
        try:
            self.report = self._index(read=self._read, **options)
        except KeyboardInterrupt:
            pass  # `stop` was called, and all that was finished is saved
        except Exception as error:  # `wait` raises it; from a thread nobody would hear of it
            self.error = error

    def _read(self, reader: Reader, files: list) -> Iterator[Sample | Finished]:
        with closing(reader.read(files)) as events:
            for event in events:
                yield event
                if self._stop.is_set():
                    raise KeyboardInterrupt

    def __str__(self) -> str:
        if self.report:
            return str(self.report)
        state = "goes on" if self.running else f"failed: {self.error}" if self.error else "was stopped"
        return f"Indexing {state}; {self._store.rows.num_rows} photos and frames can be searched so far."

    __repr__ = __str__
