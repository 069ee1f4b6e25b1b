"""A careful downloader for a handful of files: one at a time, resumable, checked, and it takes no for an answer.

    outcomes = download([Wanted("5dpSx2hBtj0.jpg", ["https://..."])], folder)

Every file ends as one `Outcome` with a reason in words; nothing is raised, and what is not a whole photo or video never
gets its name. A host that refuses (401, 403, 429, 451) or does not answer is not asked again.
"""

import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tqdm.auto import tqdm

from cliplib.errors import MediaError
from cliplib.media.files import VIDEO_SUFFIXES
from cliplib.media.photo import open_photo
from cliplib.media.video import open_video
from cliplib.models.fetch import open_url

AGENT = "cliplib (a notebook that redoes a student paper; one file at a time)"
REFUSALS = {
    401: "it asks for a login",
    403: "it refuses",
    429: "it asks for fewer requests",
    451: "it may not give it out",
}
CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Wanted:
    """A file to have: the name to keep it under, and the addresses where it may be, tried in this order."""

    name: str
    addresses: Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """What became of a wanted file. `path` is None where it could not be had; `reason` says why, or how it was had.

    `state`: "here", "fetched", "nowhere", "not found", "refused", "incomplete", "not what it says", "too large",
    "too slow", "server error", "no answer".
    """

    name: str
    state: str
    reason: str
    path: Path | None = None
    address: str = ""


class _Missed(Exception):
    """An address that did not give its file: `state` and `reason` of the outcome."""

    def __init__(self, state: str, reason: str):
        self.state, self.reason = state, reason


def download(
    wanted: Sequence[Wanted],
    folder: str | Path,
    *,
    pause_s: float = 1.0,
    limit_s: float = 120.0,
    most_bytes: int = 200_000_000,
    progress: bool = True,
) -> list[Outcome]:
    """Bring each wanted file into `folder`, at most `limit_s` seconds and `most_bytes` each: one outcome a file.

    What is there already is not asked for. A broken transfer is kept, from the first address as `<name>.0.part`, and
    goes on from there, now (once) or on the next call. Between two requests lie `pause_s` seconds.
    """
    folder, closed, outcomes = Path(folder), {}, []
    folder.mkdir(parents=True, exist_ok=True)
    for want in tqdm(wanted, desc="Downloading", unit=" files", disable=not progress):
        target = folder / want.name
        if target.is_file():
            outcomes.append(Outcome(want.name, "here", "was there already", target))
            continue
        outcome = Outcome(want.name, "nowhere", "no address is known for it")
        for number, address in enumerate(want.addresses):
            host = urlsplit(address).netloc
            try:
                if host in closed:
                    raise _Missed(closed[host].state, f"{host} was not asked again: {closed[host].reason}")
                _fetch(address, target, folder / f"{want.name}.{number}.part", limit_s, most_bytes)
                outcome = Outcome(want.name, "fetched", f"{target.stat().st_size:,} bytes", target, address)
                break
            except _Missed as missed:
                outcome = Outcome(want.name, missed.state, missed.reason, None, address)
                if missed.state in ("refused", "no answer"):
                    closed.setdefault(host, missed)
            finally:
                if host not in closed:
                    time.sleep(pause_s)
        outcomes.append(outcome)
    return outcomes


def _fetch(address: str, target: Path, part: Path, limit_s: float, most_bytes: int) -> None:
    """One file from one address, in two attempts where the connection breaks; `_Missed` where it cannot be had."""
    until = time.monotonic() + limit_s
    for attempt in (1, 2):
        try:
            _receive(address, part, until, most_bytes)
            break
        except _Missed as missed:
            if missed.state != "incomplete" or attempt == 2:
                raise
    try:
        if target.suffix.lower() in VIDEO_SUFFIXES:
            open_video(part).close()
        else:
            open_photo(part)
    except MediaError as error:
        part.unlink()
        raise _Missed("not what it says", error.reason) from error
    os.replace(part, target)


def _receive(address: str, part: Path, until: float, most_bytes: int) -> None:
    """Append to `part` what it still lacks."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": AGENT, **({"Range": f"bytes={have}-"} if have else {})}
    try:
        answer = open_url(urllib.request.Request(address, headers=headers))
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the part is as long as the file, or longer
            part.unlink()
            raise _Missed("incomplete", "what was kept of it does not fit; it starts anew") from error
        if error.code in REFUSALS:
            raise _Missed("refused", f"{REFUSALS[error.code]} (HTTP {error.code})") from error
        state = "not found" if error.code in (404, 410) else "server error"
        raise _Missed(state, f"HTTP {error.code}: {error.reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _Missed("no answer", str(getattr(error, "reason", error))) from error
    with answer:
        if answer.status != 206:  # the server sends all of it
            have = 0
        whole = None if answer.length is None else have + answer.length
        if (whole or 0) > most_bytes:
            raise _Missed("too large", f"{whole:,} bytes, more than {most_bytes:,}")
        with open(part, "ab" if have else "wb") as file:
            _copy(answer, file, have, whole, until, most_bytes)


def _copy(answer, file, have: int, whole: int | None, until: float, most_bytes: int) -> None:
    """Write the answer's bytes after the `have` that are there; `_Missed` unless there are `whole` at its end."""
    try:
        while chunk := answer.read1(CHUNK_BYTES):
            file.write(chunk)
            have += len(chunk)
            if have > most_bytes:
                raise _Missed("too large", f"more than {most_bytes:,} bytes")
            if time.monotonic() > until:
                of = f" of {whole:,}" if whole else ""
                raise _Missed("too slow", f"{have:,}{of} bytes in the time allowed; the next run goes on from there")
    except (OSError, http.client.HTTPException) as error:
        raise _Missed("incomplete", f"the connection broke after {have:,} bytes: {error}") from error
    if whole is not None and have < whole:
        raise _Missed("incomplete", f"{have:,} of {whole:,} bytes came; the next run goes on from there")
