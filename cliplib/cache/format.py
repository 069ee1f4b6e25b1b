"""The version of the format in which an index is written. Manifests, snapshots and packs state it.

"2.3" is the third addition to major version 2. The rules by which an index outlives versions of cliplib:

- A minor version adds what an older reader may leave aside: keys of a manifest, and nullable columns of one value a row
  (not lists: Arrow 18 cannot read null lists of a fixed length, even if it wrote them). No column changes its type or
  its meaning. A column that a file lacks is taken for empty; the cache of a folder keeps columns that it does not know;
  packs and snapshots drop them.
- A major version is one that older readers would misread. They say so, and write and delete nothing beside it.
- What never changes, so that every reader can tell: manifests are files "manifest*.json" that hold {"sha256": ...,
  "body": {"format": ...}}, the sha256 as by `manifest`.

Major version 1 (up to November 2026) has no columns `place_from`, `frame_s`, `sidecar_ns` and `provisional`, and its
readers take no index with other columns than their own. Major version 2 has them, and the rules above;
embeddings may be of half precision.
"""

from ..errors import CacheError

VERSION = "2.0"
FIRST = 1  # what snapshots and packs that state no version are of


def major(said: str | int) -> int:
    """The major version of a stated one ("2.3", or 1). ValueError where that is none."""
    found = int(str(said).partition(".")[0])
    if found < FIRST:
        raise ValueError(f"format {said!r}")
    return found


def require_readable(said: str | int, name: str) -> None:
    """Raise CacheError where `name` is in a format of a later major version, ValueError where `said` is no version."""
    if major(said) > major(VERSION):
        raise CacheError(
            f"{name} was written by a newer cliplib, in format {said}; this one reads formats up to {VERSION}. "
            "Update cliplib to use it. Nothing of it was changed"
        )
