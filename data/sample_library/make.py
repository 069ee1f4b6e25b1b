"""Make the sample library: photos and videos of the drawn world as somebody might keep them, and what each query
should find.

    python -m data.sample_library.make        # writes data/sample/ and data/queries.csv anew

Every scene has a combination of kind, colour and place that the tiny model never saw in training. The same seed gives
the same pictures; the bytes may differ where another version of an encoder wrote them.
"""

import csv
import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from data.world.captions import Writer
from data.world.drawing import draw, near_duplicate
from data.world.films import make_film, write_video
from data.world.scenes import (
    PLACES,
    WEATHERS,
    Query,
    Scene,
    Thing,
    changed,
    describe,
    held_out,
    is_true,
    random_scene,
    truth_matrix,
)

DATA = Path(__file__).resolve().parents[1]
SAMPLE_DIR = DATA / "sample"
QUERIES_FILE = DATA / "queries.csv"
SEED = 2024
PHOTO_COUNT = 200
GROUP_COUNT = 16

ALBUMS = {
    "water": ("beach", "lake"),
    "town": ("city", "village"),
    "hills": ("mountains", "forest"),
    "outdoors": ("desert", "meadow"),
}
SIZES = ((640, 480), (480, 360), (480, 640), (512, 512))
DATE_TAKEN, ORIENTATION, EXIF_IFD = 36867, 274, 34665

# What the lessons and the demo ask for must be there: three photos of each, and an event in a video or two.
PROMISED_PHOTOS = (
    Query((Thing("car", "red"),)),
    Query((Thing("dog"),), place="beach"),
    Query((Thing("cat"), Thing("chair")), "on"),
)
PROMISED_EVENTS = (
    Query((Thing("boat"),)),
    Query((Thing("car", "red"),)),
    Query((Thing("dog"),)),
    Query((Thing("balloon"),)),
)

# How the pixels must be turned before saving so that each EXIF orientation turns them back.
STORED_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def scene_showing(query, rng):
    """A random held-out scene of which the query is true."""
    while True:
        scene = random_scene(rng, held_out_only=True)
        if is_true(query, scene):
            return scene


def sample_scenes(rng):
    """The scenes of the photos, with a number for each group of near-duplicates or -1: a list of (scene, group)."""
    scenes = []
    for group in range(GROUP_COUNT):
        scene = random_scene(rng, held_out_only=True)
        scenes += [(scene, group)] * int(rng.integers(3, 5))
        other = changed(scene, rng)  # a picture that differs in one attribute is no duplicate
        if held_out(other):
            scenes.append((other, -1))
    scenes += [(scene_showing(query, rng), -1) for query in PROMISED_PHOTOS for _ in range(3)]
    others = PHOTO_COUNT - len(scenes)
    return scenes + [(random_scene(rng, held_out_only=True), -1) for _ in range(others)]


def photo_name(number, rng):
    """A camera's file name; the extension decides the format."""
    ending = rng.choice([".jpg", ".JPG", ".png", ".HEIC"], p=[0.45, 0.2, 0.13, 0.22])
    return f"{'DSC' if ending == '.JPG' else 'IMG'}_{number:04d}{ending}"


def save_photo(picture, path, taken_at, orientation):
    """Save one photo with its date (None for none) and, in a JPEG, stored turned with the EXIF orientation that turns
    it back.
    """
    exif = Image.Exif()
    if taken_at:
        exif.get_ifd(EXIF_IFD)[DATE_TAKEN] = taken_at.strftime("%Y:%m:%d %H:%M:%S")
    if path.suffix == ".HEIC":
        pillow_heif.from_pillow(picture).save(path, quality=60, exif=exif.tobytes() if taken_at else None)
    elif path.suffix == ".png":
        picture.save(path, optimize=True, exif=exif)
    else:
        if orientation != 1:
            exif[ORIENTATION] = orientation
            picture = picture.transpose(STORED_TURNED[orientation])
        picture.save(path, quality=82, exif=exif)


@dataclass(frozen=True)
class PhotoPlan:
    """One photo before it is drawn: its path relative to data/sample, its scene, and how it is drawn and saved."""

    path: str
    scene: Scene
    number: int
    group: int
    size: tuple[int, int]
    look: int
    taken_at: datetime | None
    orientation: int


def photo_plans(rng):
    """The plans of all photos, in their order."""
    plans, taken_at, first_of_group = [], datetime(2023, 5, 1, 9, 0), {}
    scenes = sample_scenes(rng)
    for number, index in enumerate(rng.permutation(len(scenes)), start=1):
        scene, group = scenes[index]
        taken_at += timedelta(minutes=int(rng.integers(20, 5000)))
        size = SIZES[rng.choice(len(SIZES), p=[0.3, 0.45, 0.15, 0.1])]
        look = int(rng.integers(2**31))
        if group >= 0 and group in first_of_group and rng.random() < 0.5:
            size, look = first_of_group[group]  # the same shot saved twice
        first_of_group.setdefault(group, (size, look))
        album = next(album for album, places in ALBUMS.items() if scene.place in places)
        path = f"{album}/{photo_name(number, rng)}"
        orientation = int(rng.choice([1, 6, 8, 3, 2], p=[0.7, 0.12, 0.08, 0.06, 0.04]))
        dated = taken_at if rng.random() < 0.88 else None
        plans.append(PhotoPlan(path, scene, number, group, size, look, dated, orientation))
    return plans


def make_photos(rng):
    """Write all photos. Returns [(path relative to data/sample, scene, group)]."""
    plans = photo_plans(rng)
    for plan in plans:
        picture = draw(plan.scene, plan.size, seed=plan.look)
        if plan.group >= 0:
            picture = near_duplicate(picture, plan.number)
        path = SAMPLE_DIR / plan.path
        path.parent.mkdir(parents=True, exist_ok=True)
        save_photo(picture, path, plan.taken_at, plan.orientation)
    return [(plan.path, plan.scene, plan.group) for plan in plans]


def make_videos(rng):
    """Write all videos. Returns [(path relative to data/sample, film)]."""
    made = []
    (SAMPLE_DIR / "videos").mkdir(parents=True)
    ntsc = Fraction(30000, 1001)
    plans = [
        ("walk.mp4", {}),
        ("day_trip.mp4", {"fps": ntsc}),
        ("slow_and_fast.mp4", {"times_s": "variable"}),
        ("postcard.webm", {"codec": "libvpx-vp9", "fps": Fraction(15)}),
        ("phone_upright.mp4", {"rotation": 90, "size": (240, 320)}),
        ("smooth.mp4", {"fps": Fraction(50), "size": (256, 192)}),
        ("MVI_0007.MP4", {"fps": Fraction(24)}),
        ("late_start.mp4", {"start_s": 3.2}),
    ]
    for number, (name, options) in enumerate(plans):
        scenes = [random_scene(rng, held_out_only=True) for _ in range(rng.integers(3, 6))]
        scenes[1] = scene_showing(PROMISED_EVENTS[number % len(PROMISED_EVENTS)], rng)
        lengths_s = np.round(rng.uniform(2.6, 4.6, len(scenes)), 1)
        film = make_film(scenes, lengths_s.tolist(), seed=number, start_s=options.pop("start_s", 0.0))
        if options.get("times_s"):
            options["times_s"] = variable_times(film, rng)
        write_video(film, SAMPLE_DIR / "videos" / name, **options)
        made.append((f"videos/{name}", film))
    return made


def variable_times(film, rng):
    """Presentation times whose gaps change from frame to frame, 20 to 200 ms, as a phone writes in poor light."""
    times_s = [film.start_s]
    while times_s[-1] < film.end_s - 0.2:
        times_s.append(round(times_s[-1] + rng.uniform(0.02, 0.2), 3))
    return times_s


def photo_queries(photos, rng):
    """Rows for text->image and image->image: (mode, query, relevant paths)."""
    paths, scenes = [path for path, _, _ in photos], [scene for _, scene, _ in photos]
    asked = [Query(weather=weather) for weather in WEATHERS] + [Query(place=place) for place in PLACES]
    things = [thing for scene in scenes for thing in scene.things]
    asked += [Query((Thing(things[i].kind, things[i].colour),)) for i in rng.permutation(len(things))[:24]]
    asked += [whole_query(scenes[i]) for i in rng.permutation(len(scenes))[:16]]
    writer, rows = Writer(rng, plain=True), {}
    for query in asked:
        relevant = np.flatnonzero(truth_matrix([query], scenes)[0])
        rows[writer.text(query)] = ("text->image", writer.text(query), "|".join(paths[i] for i in relevant))
    rows = list(rows.values())
    for group in range(GROUP_COUNT):
        members = [path for path, _, number in photos if number == group]
        rows.append(("image->image", members[0], "|".join(members[1:])))
    return rows


def video_queries(videos, rng):
    """Rows for text->video, relevant as path@start-end in seconds: one whole caption and one shorter query an event."""
    events = [(path, event) for path, film in videos for event in film.events]
    writer, rows = Writer(rng, plain=True), {}
    stretches = np.array([f"{path}@{event.start_s}-{event.end_s}" for path, event in events])
    for _, event in events:
        whole = whole_query(event.scene)
        for query in (whole, Query(whole.things[:1], place=whole.place)):
            true = truth_matrix([query], [other.scene for _, other in events])[0]
            rows[writer.text(query)] = ("text->video", writer.text(query), "|".join(stretches[true]))
    return list(rows.values())


def whole_query(scene):
    """All that a scene shows, but for sizes and sides, which nobody types."""
    return replace(describe(scene), things=tuple(replace(thing, size="", side="") for thing in scene.things))


def main():
    shutil.rmtree(SAMPLE_DIR, ignore_errors=True)
    rng = np.random.default_rng(SEED)
    photos, videos = make_photos(rng), make_videos(rng)
    with open(QUERIES_FILE, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("mode", "query", "relevant"))
        table.writerows(photo_queries(photos, rng) + video_queries(videos, rng))


if __name__ == "__main__":
    main()
