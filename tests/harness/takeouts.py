"""A drawn Google Takeout with the truth about every file: albums, edits, copies, Live pairs, screenshots, all namings.

`build` writes a folder as a phone and Google leave it; `zipped` packs it as Google splits it, an album in the middle.
"""

import json
import os
import random
import struct
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from PIL import Image, ImageDraw

from tests.harness.libraries import picture

HOME = "Takeout/Google Photos"
CONTENT_ID = "com.apple.quicktime.content.identifier"
EXPORTED = datetime(2025, 3, 1, 12, 0, 0)  # when Google wrote the archive: the date of every member


@dataclass(frozen=True)
class Truth:
    """What is true of one media file; `item` is the same for all files that are one photo to a person."""

    item: int
    taken_at: str  # as cliplib is to show it
    sidecar: bool
    clip_of: str | None = None  # the photo whose moving part it is
    screenshot: bool = False
    place: tuple[float, float] | None = None


def sidecar_name(name: str, number: str = "", old: bool = False) -> str:
    """The name that Google gives the sidecar of `name`; the number of a namesake moves to its end."""
    return (name if old else f"{name}.supplemental-metadata")[:46] + number + ".json"


def apple_note(ident: str) -> bytes:
    """A maker note with nothing but a content identifier."""
    text = ident.encode() + b"\0"
    head = b"Apple iOS\0\0\1MM" + struct.pack(">H", 1)
    return head + struct.pack(">HHII", 0x0011, 2, len(text), len(head) + 16) + bytes(4) + text


def save_photo(file: Path, image: Image.Image, taken: datetime | None = None, place=None, ident=None, camera=True):
    """A JPEG with what a camera writes into it; with no date and no camera, with nothing."""
    exif = Image.Exif()
    if camera:
        exif[0x010F], exif[0x0110] = "Drawn", "Camera 1"
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    if ident:
        exif.get_ifd(0x8769)[0x927C] = apple_note(ident)
    if place:
        parts = [(abs(angle) // 1, abs(angle) % 1 * 60 // 1, abs(angle) % 1 * 60 % 1 * 60) for angle in place]
        exif.get_ifd(0x8825).update(
            {1: "S" if place[0] < 0 else "N", 2: parts[0], 3: "W" if place[1] < 0 else "E", 4: parts[1]}
        )
    image.save(file, "JPEG", quality=90, exif=exif)


def save_clip(file: Path, seed: int, seconds: float, taken: datetime | None = None, ident: str | None = None):
    """A video of one moving shape, five frames a second."""
    import av

    with av.open(str(file), "w", format="mov", options={"movflags": "use_metadata_tags"}) as container:
        if taken:
            container.metadata["com.apple.quicktime.creationdate"] = taken.strftime("%Y-%m-%dT%H:%M:%S+0000")
        if ident:
            container.metadata[CONTENT_ID] = ident
        stream = container.add_stream("libx264", rate=5, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        image = picture(seed)
        for number in range(round(seconds * 5)):
            frame = image.copy()
            ImageDraw.Draw(frame).rectangle([number, 20, number + 12, 40], fill="white")
            container.mux(stream.encode(av.VideoFrame.from_image(frame)))
        container.mux(stream.encode(None))


class _Builder:
    def __init__(self, root: Path, seed: int):
        self.root, self.rng, self.truth, self.items, self.jsons = root / HOME, random.Random(seed), {}, 0, []

    def new(self) -> tuple[int, datetime]:
        self.items += 1
        return self.items, datetime(2015, 1, 1) + timedelta(seconds=self.rng.randrange(10 * 365 * 86400))

    def place(self):
        return round(self.rng.uniform(-60, 60), 4), round(self.rng.uniform(-170, 170), 4)

    def file(self, folder: str, name: str) -> Path:
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        return self.root / folder / name

    def tell(self, folder: str, name: str, sidecar: str | None, taken: datetime, place, truth: Truth, title=None):
        if sidecar:
            where = dict(zip(("latitude", "longitude"), place or (0.0, 0.0), strict=True)) | {"altitude": 0.0}
            stamp = str(int(taken.replace(tzinfo=timezone.utc).timestamp()))
            body = {"title": title or name, "photoTakenTime": {"timestamp": stamp, "formatted": "-"}, "geoData": where}
            self.file(folder, sidecar).write_text(json.dumps(body, indent=1), encoding="utf-8")
            self.jsons.append(f"{HOME}/{folder}/{sidecar}")
        self.truth[f"{HOME}/{folder}/{name}"] = truth


def build(root: Path, files: int = 300, seed: int = 0) -> tuple[dict[str, Truth], list[str]]:
    """Draw a Takeout of about `files` photos and videos into `root`: the truth by path, and the paths of the sidecars.

    A third of the photos have an EXIF date, the others have it from their sidecar alone; a third of the sidecars tell
    a place.
    """
    build = _Builder(root, seed)
    turn = 0
    while len(build.truth) < files:
        item, taken = build.new()
        [_plain, _namesakes, _edited, _live, _screenshot, _long, _album_copy, _video][turn % 8](
            build, item, taken, turn
        )
        turn += 1
    (build.root / "Photos from 2019").mkdir(exist_ok=True)
    (build.root / "Photos from 2019" / "metadata.json").write_text('{"title": "Photos from 2019"}')
    for path in root.rglob("*"):
        os.utime(path, (EXPORTED.timestamp(), EXPORTED.timestamp()))
    return build.truth, sorted(build.jsons)


def _photo(build, item, taken, folder, name, sidecar, with_exif, **more):
    place = build.place() if item % 3 == 0 else None
    save_photo(build.file(folder, name), picture(item), taken if with_exif else None, ident=more.get("ident"))
    truth = Truth(item, taken.isoformat(), sidecar is not None, place=place)
    build.tell(folder, name, sidecar, taken, place, truth, more.get("title"))
    return truth, place


def _plain(build, item, taken, turn):
    """A photo in its year; the oldest namings, and one whose title has no suffix."""
    name, folder = f"IMG_{item:04d}.jpg", f"Photos from {taken.year}"
    sidecar = [sidecar_name(name), sidecar_name(name, old=True), f"IMG_{item:04d}.supplemental-metadata.json"][
        turn // 8 % 3
    ]
    _photo(build, item, taken, folder, name, sidecar, turn // 8 % 3 == 0)


def _namesakes(build, item, taken, turn):
    """Two photos of one name in one folder: the second is called (1), and so is its sidecar."""
    folder, name, old = "Photos from 2019", f"DSC_{item:04d}.jpg", turn // 8 % 2 == 0
    _photo(build, item, taken, folder, name, sidecar_name(name, old=old), False)
    item, taken = build.new()
    _photo(build, item, taken, folder, name.replace(".", "(1)."), sidecar_name(name, "(1)", old), False, title=name)


def _edited(build, item, taken, turn):
    """A photo, its edited twin without a sidecar, and both again in an album."""
    name, year = f"PXL_{item:04d}.jpg", f"Photos from {taken.year}"
    edited = name.replace(".", ["-edited.", "-bearbeitet."][turn // 8 % 2])
    truth, place = _photo(build, item, taken, year, name, sidecar_name(name), False)
    paler = Image.blend(picture(item), Image.new("RGB", (160, 120), "white"), 0.25)
    save_photo(build.file(year, edited), paler)
    build.tell(year, edited, None, taken, place, truth)
    for copy in (name, edited):
        build.file("Summer", copy).write_bytes(build.file(year, copy).read_bytes())
        build.tell("Summer", copy, sidecar_name(name) if copy == name else None, taken, place, truth)


def _live(build, item, taken, turn):
    """A Live Photo and its clip: of one stem; or of another, tied by the identifier alone."""
    year, name = f"Photos from {taken.year}", f"IMG_{item:04d}.jpg"
    ident = f"{item:08X}-0000-4000-8000-000000000000" if turn // 8 % 2 else None
    clip = f"IMG_E{item:04d}.MOV" if ident else name.replace(".jpg", ".MP4")
    _photo(build, item, taken, year, name, sidecar_name(name), False, ident=ident)
    save_clip(build.file(year, clip), item, 2.4, taken, ident)
    build.tell(year, clip, None, taken, None, Truth(item, taken.isoformat(), False, clip_of=f"{HOME}/{year}/{name}"))


def _screenshot(build, item, taken, turn):
    """A screenshot, by its name or by its size."""
    year, named = f"Photos from {taken.year}", turn // 8 % 2 == 0
    name = f"Screenshot_{taken:%Y%m%d-%H%M%S}_{item}.jpg" if named else f"IMG_{item:04d}.PNG"
    if named:
        save_photo(build.file(year, name), picture(item, (90, 160)), camera=False)
    else:
        picture(item, (750, 1334)).quantize(16).save(build.file(year, name), optimize=True)
    build.tell(year, name, sidecar_name(name), taken, None, Truth(item, taken.isoformat(), True, screenshot=True))


def _long(build, item, taken, turn):
    """Names at which the sidecar's name is cut: within ".supplemental-metadata", and within the name itself."""
    name = f"{item:04d}_" + "abcdefghij" * 4
    name = name[: (27, 36, 41, 46)[turn // 8 % 4]] + ".jpg"
    _photo(build, item, taken, "Summer", name, sidecar_name(name), False)


def _album_copy(build, item, taken, turn):
    """One photo in its year and in two albums, byte for byte."""
    name, year = f"P{item:07d}.jpg", f"Photos from {taken.year}"
    truth, place = _photo(build, item, taken, year, name, sidecar_name(name), turn // 8 % 2 == 0)
    for album in ("Summer", "Best of"):
        build.file(album, name).write_bytes(build.file(year, name).read_bytes())
        build.tell(album, name, sidecar_name(name), taken, place, truth)


def _video(build, item, taken, turn):
    """A video of six seconds that has its date in its sidecar alone, and next to it a photo of its stem."""
    year, name = f"Photos from {taken.year}", f"VID_{item:04d}.mp4"
    place = build.place()
    save_clip(build.file(year, name), item, 6)
    build.tell(year, name, sidecar_name(name), taken, place, Truth(item, taken.isoformat(), True, place=place))
    item, taken = build.new()
    _photo(build, item, taken, year, name.replace(".mp4", ".jpg"), sidecar_name(name.replace(".mp4", ".jpg")), False)


def zipped(root: Path, folder: Path, parts: int = 2, deflate: bool = True) -> list[Path]:
    """The tree under `root` as `takeout-001.zip` and so on in `folder`: cut by count, in the middle of an album."""
    paths = sorted(path for path in root.rglob("*") if path.is_file() and ".cliplib" not in path.parts)
    size, archives = -(-len(paths) // parts), []
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(parts):
        archives.append(folder / f"takeout-{number + 1:03d}.zip")
        with zipfile.ZipFile(archives[-1], "w", zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED) as archive:
            for path in paths[number * size : (number + 1) * size]:
                date = datetime.fromtimestamp(path.stat().st_mtime)
                info = zipfile.ZipInfo(path.relative_to(root).as_posix(), date.timetuple()[:6])
                info.compress_type = archive.compression
                archive.writestr(info, path.read_bytes())
    return archives
