"""What a phone and Google Takeout leave beside the pictures, from file names and JSON alone: nothing here opens a file.

A *sidecar* is the JSON file that Takeout writes for a photo or video. Its name is the media file's with
".supplemental-metadata" after it (before 2024 without), cut to 46 characters, and ".json"; the number of a namesake
moves to the end: `IMG(1).jpg` has `IMG.jpg(1).json` or `IMG.jpg.supplemental-metadata(1).json`. An edited twin
(`IMG-edited.jpg`) has none of its own. The rules are what users of GooglePhotosTakeoutHelper (#353, #449), ente (#4956)
and immich-go (#674) found on real exports; Google publishes none.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator

from . import dates

ARCHIVE = re.compile(r"[^/]+\.zip!/", re.IGNORECASE)
NUMBERED = re.compile(r"(?P<stem>.+)(?P<number>\(\d+\))$")
SUPPLEMENT = ".supplemental-metadata"
CUT = 46  # UTF-16 units of a sidecar's name before its number and ".json"
MEDIA_CUT = 47  # such units of a media file's name before its number and suffix
# How Google Photos marks an edited copy, in the language of the account.
EDITED = (
    *("edited", "bearbeitet", "modifié", "modificato", "bewerkt", "edytowane", "editado", "ha editado", "editat"),
    *("redigerad", "redigert", "redigeret", "muokattu", "upraveno", "編集済み", "已修改", "편집됨"),
)
EDITED_STEM = re.compile(rf"(?P<stem>.+)-(?:{'|'.join(EDITED)})(?P<number>\(\d+\))?$", re.IGNORECASE)
EDITED_CUT = re.compile(r"(?P<stem>.+)-(?:e|ed|edi|edit|edite)(?P<number>\(\d+\))?$", re.IGNORECASE)


def plain_path(path: str) -> str:
    """A library path as if every archive were unpacked where it lies: "a/t-1.zip!/Takeout/x.jpg" is "a/Takeout/x.jpg".

    Parts of one Takeout so become one tree, wherever an album was split.
    """
    return ARCHIVE.sub("", path)


def match_sidecars(media: Iterable[str], sidecars: Iterable[str]) -> dict[str, str]:
    """Which sidecar each media file has: {media path: JSON path}, for the files that have one.

    Paths are POSIX; a sidecar lies in the folder of its file, or in the same folder of another part of the Takeout. An
    edited twin takes the sidecar of its original, a Live Photo's clip that of its photo.
    """
    folders: dict[str, dict[str, str]] = {}
    for path in sidecars:
        folder, _, name = _composed(plain_path(path)).rpartition("/")
        folders.setdefault(folder, {})[name[: -len(".json")]] = path
    found: dict[str, str] = {}
    stems: dict[str, str] = {}  # folder and stem of each file with a sidecar, for a clip that has none
    without = []
    for path in media:
        folder, _, name = _composed(plain_path(path)).rpartition("/")
        here = folders.get(folder, {})
        stem = next((s for s in _sidecar_stems(name) if s in here), None) if here else None
        if stem is None:
            without.append(path)
        else:
            found[path] = here[stem]
            stems.setdefault(_stem(path), found[path])
    found.update((path, stems[_stem(path)]) for path in without if _stem(path) in stems)
    return found


def _stem(path: str) -> str:
    return plain_path(path).rpartition(".")[0]


def _composed(path: str) -> str:
    """The path with its accents in one form: a Mac's file system takes them apart (NFD), Google puts them together."""
    return unicodedata.normalize("NFC", path)


def _first_units(text: str, count: int) -> str:
    """The first `count` UTF-16 units of a text, by which Google counts: an emoji has two."""
    return text.encode("utf-16-le")[: 2 * count].decode("utf-16-le", "ignore")


def _edited(stem: str) -> re.Match | None:
    """The match of a stem that marks an edited copy, or None. In a name that was cut, the mark may be cut as well."""
    cut = len(stem.encode("utf-16-le")) // 2 >= MEDIA_CUT - 1
    return EDITED_STEM.match(stem) or (EDITED_CUT.match(stem) if cut else None)


def _sidecar_stems(name: str) -> Iterator[str]:
    """The names, without ".json", that the sidecar of a file of this name may have, the likeliest first."""
    stem, dot, suffix = name.rpartition(".")
    stems = [(stem, "")]
    if edited := _edited(stem):
        stems.append((edited["stem"], edited["number"] or ""))
    stems += [(found["stem"], found["number"]) for plain, _ in stems if (found := NUMBERED.match(plain))]
    for plain, number in stems:
        base = f"{plain}{dot}{suffix}"
        for full in (base, plain):  # a title without a suffix leaves it out
            whole = full + SUPPLEMENT
            yield _first_units(whole, CUT) + number
            yield full + number
            # Cut elsewhere by other tools and zips; never so short that it could be another file's.
            yield from (whole[:end] + number for end in range(len(whole), min(len(full), CUT - 2), -1))


def sidecar_facts(data: bytes) -> dict:
    """What a sidecar tells of its photo or video.

    Args:
        data: the content of a JSON file.

    Returns:
        `taken_at` and `taken_from`; `latitude` and `longitude` in degrees and `place_from`. What it does not tell is
        absent. The date is `photoTakenTime`, in UTC: a sidecar knows no zone. The place (0, 0) means none.

    Raises:
        ValueError: it is no sidecar.
    """
    try:
        body = json.loads(data)
        taken_at = dates.of_seconds(int(body["photoTakenTime"]["timestamp"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no sidecar of Google Takeout: {error!r:.120}") from error
    facts: dict = {"taken_at": taken_at, "taken_from": "sidecar"} if taken_at else {}
    for name in ("geoData", "geoDataExif"):
        try:
            latitude, longitude = (float(body[name][key]) for key in ("latitude", "longitude"))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
            return facts | {"latitude": latitude, "longitude": longitude, "place_from": "sidecar"}
    return facts


def original_of(path: str) -> str:
    """The path of the photo that this one was edited from ("a/IMG.jpg" for "a/IMG-edited.jpg"), or its own path."""
    folder, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    edited = _edited(stem)
    return f"{folder}{slash}{edited['stem']}{edited['number'] or ''}{dot}{suffix}" if edited else path


def one_photo(pictures: list[tuple[str, object]], originals: dict[str, object]) -> list[list[int]]:
    """Group pictures by what a person calls one photo: those of one content, and an edited copy with its original.

    Args:
        pictures: a path and a key of the content, for each.
        originals: the key of the content of photos, by their `plain_path`.

    Returns:
        Positions in `pictures`, by group. Groups, and the pictures in them, keep their order.
    """
    content: dict[object, object] = {}
    for path, key in pictures:
        original = originals.get(plain_path(original_of(path))) if original_of(path) != path else None
        if original is not None:
            content[key] = original
    groups: dict[object, list[int]] = {}
    for position, (_, key) in enumerate(pictures):
        groups.setdefault(content.get(key, key), []).append(position)
    return list(groups.values())
