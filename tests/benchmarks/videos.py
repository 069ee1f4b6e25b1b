"""Moments on drawn films whose events are known to the frame, and what sampling costs beside a bare decode.

Run by `make videos`. Prints a table and writes build/videos.json:

mean_iou, mean_iou_refined: one query an event, its whole caption; the overlap (intersection over union) of the best
    moment with the event, 0 where none is found, without and with refinement; the mean of all.
peaks_inside: the share of found moments whose peak lies in the event.
sampling_ratio: seconds to sample one frame a second, over those of a bare decode by the same decoder; the lowest of
    three rounds in one run. sampling_extra_mb: memory at its highest while a two-hour film is indexed, less that with
    the encoder loaded and used once.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from cliplib import Library
from cliplib.media.video import open_video
from data.sample_library.make import variable_times
from data.world.captions import Writer
from data.world.films import draw_frame, make_film, write_video
from data.world.scenes import describe, random_scene, truth_matrix

HOME = Path(__file__).resolve().parents[2]
NTSC, EVENTS, SEED, ROUNDS = Fraction(30000, 1001), 4, 12, 3
FILMS = {
    "25.mp4": {"fps": Fraction(25)},
    "29_97.mp4": {"fps": NTSC},
    "60.mp4": {"fps": Fraction(60)},
    "variable.mp4": {"times_s": "variable"},
    "turned.mp4": {"rotation": 90, "size": (240, 320)},
    "late.mp4": {"start_s": 3.2},
}
LONG_S, LONG_FPS, SIDE = 2 * 3600, 5, (320, 240)


def make_films(folder, rng) -> list:
    """Write all films into `folder`: [(file name, event, caption)], no caption true of another event."""
    writer, scenes, queries = Writer(rng, plain=True), [], []
    while len(scenes) < EVENTS * len(FILMS):
        scene = random_scene(rng)
        query = describe(scene)
        if truth_matrix([*queries, query], [*scenes, scene]).sum() == len(scenes) + 1:
            scenes.append(scene)
            queries.append(query)
    made = []
    for number, (name, options) in enumerate(FILMS.items()):
        options, at = dict(options), number * EVENTS
        lengths_s = rng.uniform(2.6, 6.0, EVENTS).round(1).tolist()
        film = make_film(scenes[at : at + EVENTS], lengths_s, seed=number, start_s=options.pop("start_s", 0.0))
        if "times_s" in options:
            options["times_s"] = variable_times(film, rng)
        write_video(film, folder / name, **options)
        made += [(name, event, writer.text(describe(event.scene))) for event in film.events]
    return made


def overlap(moment, name, event) -> float:
    """Intersection over union of a moment (or None) and an event of the film `name`."""
    if moment is None or moment.path != name:
        return 0.0
    both_s = min(moment.end_s, event.end_s) - max(moment.start_s, event.start_s)
    return max(0.0, both_s) / (max(moment.end_s, event.end_s) - min(moment.start_s, event.start_s))


def measure_moments(folder) -> dict:
    """The figures of moments, printed by film."""
    made = make_films(folder, np.random.default_rng(SEED))
    library = Library(folder, model="tiny")
    library.index(progress=False)
    rows = []
    for name, event, caption in made:
        scores = library.score(caption, kind="frame")
        plain, fine = (next(iter(scores.moments(k=1, refine=refine)), None) for refine in (False, True))
        inside = plain and plain.path == name and event.start_s <= plain.peak_s < event.end_s
        rows.append((name, overlap(plain, name, event), overlap(fine, name, event), inside))
    print(f"{'film':16s}{'events':>8s}{'found':>8s}{'IoU':>8s}{'refined':>10s}{'peak inside':>13s}")
    for film in (*FILMS, "all"):
        some = [row for row in rows if film in (row[0], "all")]
        plain, fine = np.mean([row[1] for row in some]), np.mean([row[2] for row in some])
        found = [row[3] for row in some if row[3] is not None]
        print(f"{film:16s}{len(some):8d}{len(found):8d}{plain:8.2f}{fine:10.2f}{np.mean(found):13.2f}")
    return {"mean_iou": plain, "mean_iou_refined": fine, "peaks_inside": float(np.mean(found)), "found": len(found)}


def write_long(file, seconds, fps, size) -> None:
    """A film of that length whose scene changes every ten seconds, among twelve; each picture drawn once."""
    rng = np.random.default_rng(SEED)
    film = make_film([random_scene(rng) for _ in range(12)], [10.0] * 12)
    pictures = [draw_frame(film, 10.0 * n + 1, size) for n in range(12)]
    write_pictures(file, fps, size, (pictures[second // 10 % 12] for second in range(seconds) for _ in range(fps)))


def write_moving(file, seconds, fps, size) -> None:
    """A film as a hand-held camera makes it: the view wanders over one scene, and every picture has its own grain."""
    rng = np.random.default_rng(SEED)
    wide, high = size
    scene = np.asarray(draw_frame(make_film([random_scene(rng)], [10.0]), 1.0, (wide + 240, high + 240)), np.int16)
    grain = rng.normal(0, 4, (16, high, wide, 1)).astype(np.int16)

    def pictures():
        for number in range(seconds * fps):
            left, top = (round(120 + 119 * turn(number / 40)) for turn in (np.sin, np.cos))
            view = scene[top : top + high, left : left + wide] + grain[rng.integers(16)]
            yield Image.fromarray(view.clip(0, 255).astype(np.uint8))

    write_pictures(file, fps, size, pictures())


def write_pictures(file, fps, size, pictures) -> None:
    """Write PIL images of one size at a constant rate as H.264."""
    with av.open(str(file), "w") as output:
        stream = output.add_stream("libx264", rate=fps, options={"preset": "veryfast", "crf": "25"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = number, Fraction(1, fps)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def measure_ratio(folder) -> dict:
    """Sampling one frame a second over a bare decode of the same film, by PyAV with as many threads."""
    file = folder / "ratio.mp4"
    write_moving(file, 30, 30, (1280, 720))
    bare_s, sampled_s = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        with av.open(str(file)) as container:
            container.streams.video[0].thread_type = "AUTO"
            frames = sum(1 for _ in container.decode(video=0))
        bare_s.append(time.perf_counter() - started)
        started = time.perf_counter()
        with open_video(file) as video:
            samples = sum(1 for _ in video.sample(1.0))
        sampled_s.append(time.perf_counter() - started)
    bare, sampled = min(bare_s), min(sampled_s)
    print(f"\n30 s of 1280 x 720: {frames} frames decoded in {bare:.2f} s, {samples} sampled in {sampled:.2f} s")
    return {"sampling_ratio": sampled / bare, "bare_decode_s": bare, "sampled_s": sampled}


def measure_memory(folder) -> dict:
    """What indexing a two-hour film takes above the encoder, in a process of its own."""
    films = folder / "long"
    films.mkdir()
    write_long(films / "long.mp4", LONG_S, LONG_FPS, SIDE)
    command = [sys.executable, "-m", "tests.benchmarks.videos", "--memory", films]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    print(
        f"indexing {LONG_S // 3600} hours: {figures['index_long_s']:.0f} s, {figures['sampling_extra_mb']:.0f} MB more"
    )
    return figures


def index_and_weigh(films) -> dict:
    """Index the folder and tell how much the process's memory has grown at its highest, in MB (of 10^6 bytes)."""
    library = Library(films, model="tiny")
    resolution = library.encoder.resolution
    library.encoder.encode_images([np.zeros((resolution, resolution, 3), np.uint8)] * library.encoder.batch_size)
    before_mb = peak_mb()
    started = time.perf_counter()
    report = library.index(progress=False)
    return {
        "sampling_extra_mb": peak_mb() - before_mb,
        "index_long_s": time.perf_counter() - started,
        "long_frames": report.frames,
    }


def peak_mb() -> float:
    """The most memory that this process has held, in MB; of Linux's two counters the one that a parent leaves alone."""
    status = Path("/proc/self/status")
    if status.is_file():
        return next(int(line.split()[1]) for line in status.open() if line.startswith("VmHWM")) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes


def main() -> None:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory() as folder:
        films = Path(folder) / "films"
        films.mkdir()
        figures = measure_moments(films) | measure_ratio(Path(folder)) | measure_memory(Path(folder))
    print(f"\nmean IoU {figures['mean_iou']:.3f} (asked 0.6), refined {figures['mean_iou_refined']:.3f} (asked 0.8), ")
    print(f"peaks inside {figures['peaks_inside']:.0%} (asked all), ", end="")
    print(f"sampling over decoding {figures['sampling_ratio']:.2f} (asked 1.15 at most), ", end="")
    print(f"memory {figures['sampling_extra_mb']:.0f} MB (asked 300 at most)")
    out = HOME / "build" / "videos.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print(json.dumps(index_and_weigh(sys.argv[2])))
    else:
        main()
