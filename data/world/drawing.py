"""Draw the scenes of `scenes.py` as pictures: backgrounds by place and weather, objects as outlined stickers.

Nothing here knows captions or truth; it only reads the attributes of a scene. Everything is laid out in the central
square of the picture, so that the centre crop of CLIP's preprocessing never cuts an object away.
"""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from data.world.backdrops import paint_backdrop
from data.world.objects import SEAT_HEIGHT, draw_object

STYLES = ("picture", "pastel", "sketch", "grain")

COLOUR_RGB = {
    "red": (222, 36, 36),
    "yellow": (250, 213, 40),
    "green": (40, 160, 62),
    "blue": (38, 92, 222),
    "purple": (130, 52, 186),
    "pink": (252, 128, 186),
    "white": (250, 250, 250),
    "black": (38, 38, 42),
}

PASTEL_RGB = {
    "red": (222, 110, 104),
    "yellow": (240, 224, 130),
    "green": (128, 190, 134),
    "blue": (120, 156, 214),
    "purple": (168, 128, 196),
    "pink": (246, 182, 206),
    "white": (244, 240, 232),
    "black": (92, 90, 98),
}

SIDE_X = {"left": 0.26, "middle": 0.5, "right": 0.74}
OBJECT_SIZE = {"small": 0.29, "big": 0.46}
FLYING = ("kite", "balloon", "rocket", "bird")


def draw(scene, size=(320, 240), style="picture", seed=0, oversample=2, time_s=0.0):
    """Draw a scene.

    scene: a `world.Scene`. size: (width, height) in pixels. style: one of `STYLES`; the tiny model is trained on
    "picture" only. seed: int; the same seed gives the same pixels, another one the same scene with other hills,
    clouds and small displacements. oversample: drawn this many times larger and scaled down, which smooths the edges.
    time_s: seconds since the scene began; the objects sway gently and rain and snow fall. Returns an RGB PIL image.
    Raises ValueError for an unknown style.
    """
    if style not in STYLES:
        raise ValueError(f"unknown style {style!r}; known: {', '.join(STYLES)}")
    rng = np.random.default_rng(seed)
    width, height = size[0] * oversample, size[1] * oversample
    side = min(width, height)
    canvas = paint_backdrop(scene.place, scene.weather, width, height, np.random.default_rng(rng.integers(2**32)))
    corner = ((width - side) // 2, (height - side) // 2)
    sway = (0.03 * math.sin(1.9 * time_s), 0.012 * math.sin(3.1 * time_s))
    palette = PASTEL_RGB if style == "pastel" else COLOUR_RGB
    placed = list(zip(scene.things, layout(scene, rng), strict=True))
    for thing, (x, y, scale) in reversed(placed):  # so that what sits on another is drawn in front of it
        patch_px = max(8, round(scale * side))
        rgb = _jitter_rgb(palette[thing.colour], rng)
        patch = draw_object(thing.kind, rgb, patch_px, mirrored=bool(rng.integers(2)))
        left = corner[0] + round((x + sway[0]) * side - patch.width / 2)
        top = corner[1] + round((y + sway[1]) * side - patch.height)
        canvas.paste(patch, (left, top), patch)
    paint_weather(canvas, scene.weather, side, rng, time_s)
    picture = canvas.resize(size, Image.Resampling.LANCZOS) if oversample > 1 else canvas
    return _restyle(picture, style, rng)


def layout(scene, rng):
    """Where the objects of a scene stand: a list of (x of the middle, y of the foot, size), each a share of the
    square.
    """
    scales = [OBJECT_SIZE[thing.size] * rng.uniform(0.93, 1.05) for thing in scene.things]
    feet = rng.uniform(0.9, 0.96, len(scales))
    places = []
    for thing, scale, foot in zip(scene.things, scales, feet, strict=True):
        x = SIDE_X[thing.side] + rng.uniform(-0.025, 0.025)
        if thing.kind in FLYING and scene.relation != "on":
            foot = rng.uniform(0.06, 0.2) + scale
        places.append((x, foot, scale))
    if scene.relation == "above":
        upper, lower = places
        places = [(upper[0], min(upper[1], 0.05 + scales[0]), upper[2]), (lower[0], max(lower[1], feet[1]), lower[2])]
    if scene.relation == "on":
        upper, lower = places
        seat = lower[1] - lower[2] * SEAT_HEIGHT[scene.things[1].kind]
        places = [(lower[0] + rng.uniform(-0.03, 0.03), seat + 0.01, upper[2]), lower]
    return places


def paint_weather(canvas, weather, side, rng, time_s=0.0):
    """Paint rain or snow in front of everything, in place, fallen for time_s; other weathers are in the backdrop."""
    pen = ImageDraw.Draw(canvas)
    width, height = canvas.size
    if weather == "rain":
        slant = rng.uniform(0.12, 0.3)
        for _ in range(round(70 * width / side)):
            x, y, length = rng.uniform(0, width * 1.1), rng.uniform(-0.05, 1), rng.uniform(0.05, 0.1) * side
            y = ((y + 0.05 + 1.3 * time_s) % 1.05 - 0.05) * height
            pen.line(
                [(x, y), (x - slant * length, y + length)], fill=(196, 214, 236), width=max(1, round(side * 0.008))
            )
    elif weather == "snow":
        for _ in range(round(80 * width / side)):
            x, y, radius = rng.uniform(0, width), rng.uniform(0, 1), rng.uniform(0.006, 0.014) * side
            y = (y + 0.2 * time_s) % 1.0 * height
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=(255, 255, 255))


def near_duplicate(picture, seed):
    """The same picture as somebody else might have saved it: cropped by up to 6 %, brighter or warmer, a little
    softened.

    picture: RGB PIL image. Returns a new RGB image of the same size.
    """
    rng = np.random.default_rng(seed)
    width, height = picture.size
    keep = rng.uniform(0.94, 0.99)
    left, top = rng.uniform(0, 1 - keep, 2) * (width, height)
    cropped = picture.crop((round(left), round(top), round(left + keep * width), round(top + keep * height)))
    result = cropped.resize(picture.size, Image.Resampling.BICUBIC)
    result = ImageEnhance.Brightness(result).enhance(rng.uniform(0.9, 1.1))
    result = ImageEnhance.Color(result).enhance(rng.uniform(0.85, 1.15))
    return result.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.002) * min(picture.size)))


def _jitter_rgb(rgb, rng):
    return tuple(int(np.clip(channel * rng.uniform(0.93, 1.05), 0, 255)) for channel in rgb)


def _restyle(picture, style, rng):
    """Turn a finished picture into a line drawing or a grainy one; other styles pass through."""
    if style == "sketch":
        edges = picture.convert("L").filter(ImageFilter.SMOOTH).filter(ImageFilter.FIND_EDGES)
        lines = ImageOps.invert(ImageOps.autocontrast(edges, cutoff=(0, 2)))
        lines.paste(255, (0, 0, picture.width, 2))
        paper = Image.blend(picture, Image.new("RGB", picture.size, (250, 246, 236)), 0.72)
        return Image.fromarray(
            (np.asarray(paper, np.uint16) * np.asarray(lines, np.uint16)[..., None] // 255).astype(np.uint8)
        )
    if style == "grain":
        pixels = np.asarray(ImageEnhance.Color(picture).enhance(0.6), np.float32)
        noise = rng.normal(0, 22, pixels.shape[:2])[..., None]
        return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
    return picture
