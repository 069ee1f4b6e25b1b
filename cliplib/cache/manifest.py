"""Manifests: small JSON files that say which parts of the cache are alive. Reading and making them; which are heads.

A manifest names its parents (every manifest that went into it), its parts with their sizes and sha256, the rows that
are dead (paths by part), the parts that were merged into others (`dropped`) and the files that could not be indexed
(`failures`). It carries the version of its format (see `format`) and the sha256 of itself. Every manifest is complete:
any sound one describes a whole state, once its parts are there.
"""

import contextlib
import hashlib
import json
import os
import time
import uuid
from pathlib import Path

from ..errors import CacheError
from ..media.retry import with_retries
from . import format


def new(model: dict, parents: set[str], parts: list[dict], dead: dict, dropped: set[str], failures: dict) -> dict:
    """The body of a new manifest, with an id and the time of its making."""
    return {
        "format": format.VERSION,
        "id": uuid.uuid4().hex,
        "created_ns": time.time_ns(),
        "model": model,
        "parents": sorted(parents),
        "parts": parts,
        "dead": {part: sorted(paths) for part, paths in dead.items()},
        "dropped": sorted(dropped),
        "failures": failures,
    }


def file_name(body: dict) -> str:
    """The name under which a body is saved; names sort by time."""
    return f"manifest-{body['created_ns']:020d}-{body['id'][:8]}.json"


def to_bytes(body: dict) -> bytes:
    """A body with its own checksum, as JSON."""
    return json.dumps({"sha256": _checksum(body), "body": body}, indent=1, sort_keys=True).encode()


def files(folder: Path) -> list[Path]:
    """The manifest files of a cache, by time; none where the folder is not there.

    CacheError where it cannot be listed: `glob` would take that for an empty cache.
    """
    try:
        names = with_retries(lambda: os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CacheError(
            f"the cache {folder} cannot be listed: {error.strerror or error}. If it lies on a mount, mount it anew"
        ) from error
    return sorted(folder / name for name in names if name.startswith("manifest") and name.endswith(".json"))


def read(file: Path) -> dict | None:
    """The body of a manifest file, or None when it is not, byte for byte, what was written.

    Raises OSError, and CacheError where a newer cliplib wrote it in a format that this one cannot read.
    """
    data = with_retries(file.read_bytes)
    try:
        outer = json.loads(data)
        body = outer["body"]
        sound = outer["sha256"] == _checksum(body)
        if sound:
            format.require_readable(body["format"], f"{file.name} in {file.parent}")
        sound &= to_bytes(body) == data
        inside = all(name == os.path.basename(name) for name in files_named(body))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return body if sound and inside else None


def read_all(folder: Path) -> tuple[dict[str, dict], list[str]]:
    """Sound manifests by id, and the names of the files that are not sound. CacheError as `files` and `read`.

    A copy under another name, such as Drive's "manifest (1).json", has the id of its original and counts once.
    """
    sound, damaged = {}, []
    for file in files(folder):
        try:
            body = read(file)
        except FileNotFoundError:  # another session has deleted it meanwhile
            continue
        except OSError:
            body = None
        if body is None:
            damaged.append(file.name)
        else:
            sound[body["id"]] = body
    return sound, damaged


def heads(bodies: dict[str, dict]) -> list[str]:
    """Ids of the manifests that no other names as a parent, oldest first."""
    parents = {parent for body in bodies.values() for parent in body["parents"]}
    return sorted(set(bodies) - parents, key=lambda ident: (bodies[ident]["created_ns"], ident))


def part_sizes(folder: Path) -> dict[str, int]:
    """The size in bytes of each part file that is there."""
    sizes = {}
    for file in folder.glob("part-*.parquet"):
        with contextlib.suppress(OSError):  # another session may have deleted it meanwhile
            sizes[file.name] = file.stat().st_size
    return sizes


def is_complete(body: dict, sizes: dict[str, int]) -> bool:
    """Whether every part that a manifest names is there, as long as it should be; `sizes` as by `part_sizes`."""
    return all(sizes.get(part["name"]) == part["size"] for part in body["parts"])


def loadable(bodies: dict[str, dict], sizes: dict[str, int]) -> dict[str, dict]:
    """The manifests that are whole, and those that are newer than all of these.

    One that is not whole and older is another session's whose parts are still on their way, or what a machine that died
    left on a mount; rows that are long dead would come back with it.
    """
    whole = {ident: body for ident, body in bodies.items() if is_complete(body, sizes)}
    newest = max((body["created_ns"] for body in whole.values()), default=0)
    return whole | {ident: body for ident, body in bodies.items() if body["created_ns"] > newest}


def needed_to_load(bodies: dict[str, dict], sizes: dict[str, int]) -> set[str]:
    """Ids of the manifests that loading needs: the heads, and of one that is not whole the generations before it."""
    bodies = loadable(bodies, sizes)
    found, waiting = set(), heads(bodies)
    while waiting:
        ident = waiting.pop()
        found.add(ident)
        if not is_complete(bodies[ident], sizes):
            waiting += set(newest_parents(bodies[ident], bodies)) - found
    return found


def newest_parents(body: dict, bodies: dict[str, dict]) -> list[str]:
    """Ids of the newest of its parents that are there."""
    return heads({parent: bodies[parent] for parent in body["parents"] if parent in bodies})


def files_named(body: dict) -> set[str]:
    """Names of the part and thumbnail files that a manifest needs."""
    return {entry["name"] for part in body["parts"] for entry in (part, part.get("thumbs")) if entry}


def _checksum(body: dict) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
