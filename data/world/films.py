"""Short videos of the drawn world in which known things happen at known times."""

from dataclasses import dataclass
from fractions import Fraction

import av

from data.world.drawing import draw
from data.world.scenes import Scene


@dataclass(frozen=True)
class Event:
    """One scene that is shown from start_s (included) to end_s (excluded), in seconds of the film."""

    start_s: float
    end_s: float
    scene: Scene


@dataclass(frozen=True)
class Film:
    """Events in order, without gaps. The seed settles the look of the backdrops."""

    events: tuple[Event, ...]
    seed: int = 0

    @property
    def start_s(self):
        return self.events[0].start_s

    @property
    def end_s(self):
        return self.events[-1].end_s


def make_film(scenes, lengths_s, seed=0, start_s=0.0):
    """A film that shows the scenes one after another, each for its length in seconds.

    Raises ValueError if the counts differ.
    """
    events, at_s = [], start_s
    for scene, length_s in zip(scenes, lengths_s, strict=True):
        events.append(Event(round(at_s, 3), round(at_s + length_s, 3), scene))
        at_s += length_s
    return Film(tuple(events), seed)


def event_at(film, time_s):
    """The event shown at time_s. Raises ValueError outside the film."""
    for event in film.events:
        if event.start_s <= time_s < event.end_s:
            return event
    raise ValueError(f"nothing is shown at {time_s} s; the film runs from {film.start_s} to {film.end_s} s")


def draw_frame(film, time_s, size=(320, 240)):
    """The film's picture at time_s, an RGB PIL image of `size`. Raises ValueError outside the film."""
    event = event_at(film, time_s)
    seed = film.seed * 1000 + film.events.index(event)
    return draw(event.scene, size, seed=seed, time_s=time_s - event.start_s)


def frame_times(film, fps):
    """Presentation times at a constant rate (int or Fraction), in seconds as Fractions, all inside the film."""
    first, last = Fraction(film.start_s).limit_denominator(1000), Fraction(film.end_s).limit_denominator(1000)
    count = int((last - first) * Fraction(fps))
    return [first + number / Fraction(fps) for number in range(count)]


def write_video(film, path, size=(320, 240), fps=Fraction(25), times_s=None, codec="libx264", rotation=0):
    """Write a film with PyAV; the container follows the extension of path (.mp4, .mkv, .mov, .webm and so on).

    size: (width, height) upright. fps: exact rate, such as Fraction(30000, 1001). times_s: presentation times in
    seconds instead of a constant rate; the first may be above 0. codec: "libx264" or "libvpx-vp9". rotation: 0, 90, 180
    or 270; the pixels are stored turned and the file says by how many degrees clockwise a player must turn them back,
    as phones do. One encoder thread, so that the same film gives the same file.
    """
    turns = (rotation % 360) // 90
    stored_size = size if turns % 2 == 0 else (size[1], size[0])
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height = stored_size
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.codec_context.time_base = Fraction(1, 90_000)
        vp9 = {"crf": "34", "b": "300k", "deadline": "good"}
        stream.options = {"crf": "30", "preset": "medium"} if codec == "libx264" else vp9
        if rotation:
            stream.set_display_rotation(-rotation)
        for time_s in times_s if times_s is not None else frame_times(film, fps):
            picture = draw_frame(film, float(time_s), size).rotate(90 * turns, expand=True)
            frame = av.VideoFrame.from_image(picture)
            frame.time_base, frame.pts = Fraction(1, 90_000), round(time_s * 90_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
