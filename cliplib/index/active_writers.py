"""Who else is indexing this library: a small file in the cache for each session at work.

It only informs: two writers lose nothing without it, so it blocks nobody and no error of it stops a run. Each session
has a file under a name of its own and says in it when it was last seen; a session that says nothing for `SILENT_S`, or
whose process on this machine is gone, is gone. A copy that Drive brings back as "writer-... (1).json" holds the same
id and counts once.
"""

import contextlib
import json
import os
import socket
import time
import uuid
import warnings
from pathlib import Path

SILENT_S = 900  # checkpoints come every half minute; Drive may take minutes to pass one on
RUBBISH_S = 86_400


class ActiveWriters:
    """The sessions that are indexing into one cache folder; this one is among them inside of `with`."""

    def __init__(self, folder: Path):
        self.id, self.since = uuid.uuid4().hex[:12], time.time()
        self.file = Path(folder) / f"writer-{self.id}.json"
        self._seen: dict[str, str] = {}

    @property
    def others(self) -> list[str]:
        """A sentence for each other session that was seen at work."""
        return list(self._seen.values())

    def __enter__(self) -> "ActiveWriters":
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
        self.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.file.unlink()

    def refresh(self) -> None:
        """Say "still here", and look for others; a warning for each that was not seen before."""
        about = {"id": self.id, "host": socket.gethostname(), "pid": os.getpid(), "since": self.since}
        with contextlib.suppress(OSError):
            # A folder that is not there any more stays so: where its mount is away, this would be another disk.
            self.file.write_text(json.dumps(about | {"at": time.time()}))
        with contextlib.suppress(OSError):
            for file in self.file.parent.glob("writer-*.json"):
                with contextlib.suppress(OSError):  # one that cannot be read or deleted hides no other
                    self._look_at(file)

    def _look_at(self, file: Path) -> None:
        try:
            about = json.loads(file.read_bytes())
            who, host, pid = (str(about[name])[:64] for name in ("id", "host", "pid"))
            silent_s = abs(time.time() - float(about["at"]))  # a clock may be ahead
            since = time.strftime("%H:%M", time.localtime(float(about["since"])))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):  # half-written or damaged
            who, host, pid, since, silent_s = "", "", "", "", max(SILENT_S, time.time() - file.stat().st_mtime)
        if silent_s > RUBBISH_S:
            file.unlink()
        elif silent_s < SILENT_S and who not in (self.id, *self._seen) and not _ended(host, pid):
            self._seen[who] = (
                f"another session (process {pid} on {host}) has been indexing this library since {since}. Both may go "
                "on: nothing is lost, but some files may be encoded twice; index() once more when both have ended"
            )
            warnings.warn(self._seen[who], stacklevel=2)


def _ended(host: str, pid: str) -> bool:
    """Whether this is a process of this machine that is gone; False where that cannot be told."""
    try:
        if host == socket.gethostname() and os.name == "posix":
            os.kill(int(pid), 0)  # signal 0 only asks
    except ProcessLookupError:
        return True
    except (OSError, ValueError, OverflowError):
        pass
    return False
