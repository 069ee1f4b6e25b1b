"""Merging of manifests: the one state that all manifests of a cache tell, with every part checked as it is read."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ..errors import CacheError
from ..media.retry import with_retries
from . import manifest
from . import rows as rows_
from .retention import KEPT_SECONDS

READERS = 4  # parts that are read and checked at once


@dataclass
class State:
    """The live rows of a cache, the parts that hold them, and what is dead or has failed."""

    live: dict[str, pa.Table] = field(default_factory=dict)  # live rows by part
    entries: dict[str, dict] = field(default_factory=dict)  # name, size, sha256, rows, thumbs of each part
    dead: dict[str, set[str]] = field(default_factory=dict)  # paths by part
    failures: dict[str, dict] = field(default_factory=dict)  # size, mtime_ns, stage, reason by path
    dropped: set[str] = field(default_factory=set)  # parts merged into others
    known: set[str] = field(default_factory=set)  # manifests that the next one makes obsolete


class Merger:
    """Reads the cache in `folder` for a `model` (see `Store`); `problems` says, in sentences, what was not believed."""

    def __init__(self, folder: Path, model: dict):
        self.folder, self.model = folder, model
        self.problems: list[str] = []
        self.read: dict[str, pa.Table | None] = {}  # parts by name; None where a part is damaged
        self.merged: dict[str, bool] = {}  # manifests by id; whether they, or all before them, were whole

    def state(self) -> State:
        """All heads merged: the union of their parts less the dead rows. CacheError as `manifest.read_all`."""
        believed, known = self._manifests()
        state, heads = State(known=known), manifest.heads(believed)
        entries = {entry["name"]: entry for ident in heads for entry in believed[ident]["parts"]}
        with ThreadPoolExecutor(READERS) as pool:  # one thread decodes the embeddings of a part
            self.read.update(zip(entries, pool.map(self._read_part, entries.values()), strict=True))
        for ident in heads:
            self._merge(ident, believed, state)
        state.entries = {name: state.entries[name] for name in sorted(state.entries.keys() - state.dropped)}
        for name in state.entries:
            dead = pa.array(list(state.dead.get(name, ())), pa.string())
            state.live[name], _ = rows_.without_paths(self.read[name], dead)
        state.live = rows_.with_each_path_once(state.live)
        return state

    def _manifests(self) -> tuple[dict[str, dict], set[str]]:
        """The manifests to merge, by id, and the ids of all that the next one makes obsolete."""
        bodies, damaged = manifest.read_all(self.folder)
        self.problems += [f"{name} is damaged and was passed over" for name in damaged]
        for ident in [i for i, body in bodies.items() if body["model"].get("model_id") != self.model["model_id"]]:
            body = bodies.pop(ident)
            made_by = f"of model {body['model'].get('name')!r}, not {self.model['name']!r}"
            self.problems.append(f"{manifest.file_name(body)} is {made_by}")
        believed = manifest.loadable(bodies, manifest.part_sizes(self.folder))
        missing = {ident: body for ident, body in bodies.items() if ident not in believed}
        for ident in manifest.heads(bodies):
            if ident in missing:
                why = "names parts that are not there whole, perhaps not yet; it was passed over"
                self.problems.append(f"{manifest.file_name(bodies[ident])} {why}")
        # What a new manifest names is over for good, so one whose parts may still come is not named.
        young = time.time_ns() - KEPT_SECONDS * 10**9
        return believed, believed.keys() | {ident for ident, body in missing.items() if body["created_ns"] < young}

    def _merge(self, ident: str, bodies: dict, into: State) -> bool:
        """Add a manifest to a state: whole, or what is sound of it and the generations before; whether one was whole.

        Rows that are dead in a manifest that is not whole live on in what is added from the generations before: those
        that took their place may be in the part that is missing.
        """
        if ident in self.merged:
            return self.merged[ident]
        body = bodies[ident]
        for entry in body["parts"]:
            if entry["name"] not in self.read:
                self.read[entry["name"]] = self._read_part(entry)
            if self.read[entry["name"]] is not None:
                into.entries[entry["name"]] = entry
        whole = self.merged[ident] = all(self.read[entry["name"]] is not None for entry in body["parts"])
        if whole:
            into.dropped.update(body["dropped"])
        else:
            for earlier in manifest.newest_parents(body, bodies):
                self.merged[ident] |= self._merge(earlier, bodies, into)
        if whole or not self.merged[ident]:
            for part, paths in body["dead"].items():
                into.dead.setdefault(part, set()).update(paths)
        into.failures |= body["failures"]
        return self.merged[ident]

    def _read_part(self, entry: dict) -> pa.Table | None:
        try:
            data = with_retries((self.folder / entry["name"]).read_bytes)
            if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                raise CacheError(f"{entry['name']} does not match its checksum ({len(data)} bytes of {entry['size']})")
            rows, _ = rows_.from_parquet(data, entry["name"], intact=True)
            rows, said = rows_.checked(rows, self.model["dim"], entry["name"])
        except (OSError, CacheError) as error:
            self.problems.append(f"{error}; the next index() encodes its files again")
            return None
        self.problems += said
        return rows
