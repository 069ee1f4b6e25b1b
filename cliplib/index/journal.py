"""The journal of files in flight: which file was being decoded when the process died.

A decoder that crashes takes the whole process with it, and would do so again on every run. So each file is noted when
its decoding begins and when it ends. What the last run began and never ended is tried alone, in a child process with a
deadline; if the child dies too, the file is reported like any other that cannot be read.

The journal lies on the local disk, not in the cache: it is written for every file, and matters only while the machine
lives.
"""

import hashlib
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from ..errors import MediaError

DEADLINE_S = {"photo": 30, "video": 120}  # for a photo, and for the next sampled frame of a video
TRIAL = """
import faulthandler, sys
home, path, file_kind, deadline_s = sys.argv[1:]
def watch():
    faulthandler.dump_traceback_later(float(deadline_s), exit=True)
try:
    sys.path.insert(0, home)
    from cliplib.media.photo import open_photo
    from cliplib.media.video import open_video
    watch()
    if file_kind == "photo":
        open_photo(path)
    else:
        with open_video(path) as video:
            for frame in video.sample():
                watch()
except Exception:
    pass
"""
# Of cliplib. In Colab only the notebook's `sys.path` knows it, which no child inherits.
HOME = Path(__file__).resolve().parents[2]


class Journal:
    """Notes for one cache folder; made anew by every run, and gone when a run ends by itself.

    Attributes:
        suspects: paths of the files that a run that died had begun and not ended, and those that are given.
    """

    def __init__(self, cache: Path, suspects: Iterable[str] = ()):
        name = hashlib.sha256(str(cache.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self.file = Path(tempfile.gettempdir()) / f"cliplib-{name}.journal"
        self.suspects = {*suspects, *_unfinished(self.file)}
        self._lock = threading.Lock()
        self._notes: TextIO | None = None
        self._closed = False

    def begin(self, path: str) -> None:
        """Note that a file is being decoded. Safe in threads."""
        self._note(f"+{path}\n")

    def end(self, path: str) -> None:
        """Note that the process has survived it."""
        self._note(f"-{path}\n")

    def _note(self, line: str) -> None:
        with self._lock:
            if self._closed:  # a thread that was not waited for
                return
            if self._notes is None:
                self._notes = open(self.file, "w", encoding="utf-8", errors="surrogateescape", buffering=1)  # noqa: SIM115
            self._notes.write(line)  # in the hands of the system at once: a killed process loses nothing

    def close(self) -> None:
        """The run has ended by itself: no file of it killed anything."""
        with self._lock:
            self._closed = True
            if self._notes is not None:
                self._notes.close()
            self.file.unlink(missing_ok=True)


def _unfinished(file: Path) -> set[str]:
    """The paths that a journal's file notes as begun and not as ended."""
    try:
        lines = file.read_text("utf-8", "surrogateescape").split("\n")
    except OSError:
        return set()
    ended = {line[1:] for line in lines if line[:1] == "-"}
    return {line[1:] for line in lines if line[:1] == "+"} - ended


def decode_in_child(path: Path, file_kind: str) -> None:
    """Decode a file in a child process; MediaError when the child dies, or takes longer than `DEADLINE_S`.

    A file that merely cannot be decoded is no matter here: the run will say so.
    """
    command = [sys.executable, "-c", TRIAL, str(HOME), str(path), file_kind, str(DEADLINE_S[file_kind])]
    code = subprocess.run(command, capture_output=True, check=False).returncode
    if code == 1:  # of the watch
        raise MediaError(path, "decode", f"decoding it alone did not go on within {DEADLINE_S[file_kind]} s")
    if code:
        died = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise MediaError(
            path, "decode", f"decoding it kills the process ({died}); it was tried again alone, and died again"
        )
