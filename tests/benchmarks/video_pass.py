"""What sampling a video costs beside decoding all of it, and what it does to the embeddings.

video_vs_full_pass: CPU seconds, of all threads, to sample one frame a second of a film of 1080p, made on the spot in
    H.264 and in HEVC with their encoders' own settings, and in H.264 as telephones write it, over those to decode every
    frame and make the same images; the lowest of the rounds in one run, the dearest of the films.
video_cosine_p1: of the embeddings of both at the same times (tiny model), the 1st percentile.
"""

import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from cliplib.media.photo import fitted
from cliplib.media.video import open_video
from cliplib.models import load

SIZE, RATE = (1920, 1080), Fraction(30000, 1001)
CODECS = {
    "h264": ("libx264", {"preset": "medium"}),
    "phone": ("libx264", {"preset": "veryfast", "bf": "0", "g": "30", "sc_threshold": "0"}),
    "hevc": ("libx265", {"preset": "fast", "x265-params": "log-level=none"}),
}


def measure(folder: Path, seconds: int, rounds: int) -> dict:
    """The figures, and what they were made of, over films of so many seconds in `folder`."""
    encoder, shares, cosines = load("tiny"), {}, []
    for name, (codec, options) in CODECS.items():
        film = _film(folder / f"{name}.mp4", codec, options, seconds)
        times = {exact: [] for exact in (False, True)}
        for _ in range(rounds):
            for exact in times:
                started = time.process_time()
                _sampled(film, exact)
                times[exact].append(time.process_time() - started)
        shares[name] = min(times[False]) / min(times[True])
        few, whole = (encoder.encode_images(_prepared(encoder, images)) for images in _of_the_same_times(film))
        cosines += list(np.einsum("ij,ij->i", few, whole))
    return {
        "video_vs_full_pass": max(shares.values()),
        "video_cosine_p1": float(np.percentile(cosines, 1)),
        **{f"video_{name}_vs_full_pass": share for name, share in shares.items()},
    }


def _sampled(film: Path, exact: bool) -> list[Image.Image]:
    with open_video(film) as video:
        return [frame.image for frame in video.sample(1.0, exact=exact)]


def _of_the_same_times(film: Path) -> tuple[list[Image.Image], list[Image.Image]]:
    """The frames that are sampled, and those of their times by decoding everything."""
    with open_video(film) as video:
        few = {frame.time_s: frame.image for frame in video.sample(1.0)}
        whole = {frame.time_s: video.upright(frame.frame) for frame in video.frames() if frame.time_s in few}
    return list(few.values()), [whole[time_s] for time_s in few]


def _prepared(encoder, images):
    return [encoder.prepare(fitted(image, encoder.resolution)) for image in images]


def _film(file: Path, codec: str, options: dict, seconds: int) -> Path:
    """A camera that pans over soft shapes with a fine texture, another scene every four seconds."""
    random = np.random.default_rng(0)
    width, height = SIZE
    texture = random.normal(0, 6, (height * 3 // 2, width * 3 // 2, 1)).astype(np.float32)
    with av.open(str(file), "w") as output:
        stream = output.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for second in range(seconds):
            if second % 4 == 0:
                small = Image.fromarray(random.integers(0, 256, (16, 32, 3), np.uint8))
                scene = np.asarray(small.resize(texture.shape[1::-1], Image.Resampling.BICUBIC), np.float32) + texture
            for number in range(30):
                at = (second % 4 * 30 + number) * 4
                view = scene[at // 2 : at // 2 + height, at : at + width]
                image = np.clip(view, 0, 255).astype(np.uint8)
                output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(stream.encode(None))
    return file
