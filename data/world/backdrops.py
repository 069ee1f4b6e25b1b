"""The backdrops of the drawn world: a sky by weather and time of day, a ground by place.

Coordinates are pixels of the canvas; heights are shares of it. Every painter takes (pen, width, height, tint, rng).
"""

import numpy as np
from PIL import Image, ImageDraw

SKIES = {
    "sun": ((86, 170, 240), (206, 234, 252)),
    "rain": ((92, 102, 118), (148, 158, 170)),
    "snow": ((186, 198, 214), (232, 238, 244)),
    "night": ((8, 12, 44), (32, 42, 92)),
    "sunset": ((118, 62, 134), (255, 158, 66)),
}

# The light of each weather: the ground's colours are blended towards this colour by this share.
LIGHT = {
    "sun": ((255, 250, 220), 0.05),
    "rain": ((88, 98, 116), 0.35),
    "snow": ((250, 252, 255), 0.68),
    "night": ((10, 14, 52), 0.62),
    "sunset": ((240, 120, 60), 0.28),
}

HORIZON = 0.56


def paint_backdrop(place, weather, width, height, rng):
    """A new RGB image of width x height pixels with sky and ground. Raises KeyError for an unknown place or weather."""
    canvas = _sky(weather, width, height, rng)
    light, share = LIGHT[weather]

    def tint(rgb):
        jitter = rng.uniform(0.95, 1.05)
        return tuple(
            int(min(255, (channel * (1 - share) + lit * share) * jitter))
            for channel, lit in zip(rgb, light, strict=True)
        )

    PLACES[place](ImageDraw.Draw(canvas), width, height, tint, rng)
    return canvas


def _sky(weather, width, height, rng):
    top, bottom = (np.array(rgb, np.float32) for rgb in SKIES[weather])
    ramp = np.linspace(0, 1.4, height, dtype=np.float32).clip(0, 1)[:, None]
    column = (top + (bottom - top) * ramp).astype(np.uint8)
    canvas = Image.fromarray(np.ascontiguousarray(np.broadcast_to(column[:, None], (height, width, 3))))
    pen, unit = ImageDraw.Draw(canvas), min(width, height)
    x = width / 2 + rng.choice([-1, 1]) * rng.uniform(0.1, 0.42) * unit
    if weather == "sun":
        _disc(pen, x, 0.13 * height, 0.085 * unit, (255, 232, 92))
        _clouds(pen, width, height, unit, (255, 255, 255), 2, rng)
    elif weather == "sunset":
        _disc(pen, x, HORIZON * height - 0.02 * unit, 0.16 * unit, (255, 222, 130))
    elif weather == "night":
        for _ in range(round(45 * width / unit)):
            _disc(
                pen,
                rng.uniform(0, width),
                rng.uniform(0, 0.5) * height,
                rng.uniform(0.003, 0.008) * unit,
                (255, 255, 220),
            )
        _disc(pen, x, 0.14 * height, 0.08 * unit, (250, 244, 206))
        _disc(pen, x + 0.04 * unit, 0.12 * height, 0.07 * unit, (14, 18, 54))
    else:
        _clouds(pen, width, height, unit, (112, 120, 134) if weather == "rain" else (214, 220, 230), 4, rng)
    return canvas


def _disc(pen, x, y, radius, rgb):
    pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=rgb)


def _clouds(pen, width, height, unit, rgb, count, rng):
    for _ in range(round(count * width / unit)):
        x, y, size = rng.uniform(0, width), rng.uniform(0.04, 0.24) * height, rng.uniform(0.05, 0.08) * unit
        for dx, dy, grow in ((-1.2, 0.25, 0.8), (0, 0, 1.1), (1.2, 0.2, 0.85), (0.5, 0.35, 0.9)):
            _disc(pen, x + dx * size, y + dy * size, size * grow, rgb)


def _hills(pen, width, height, rgb, level, wave, rng):
    """Fill everything below a gently waving line at `level` (share of the height)."""
    xs = np.linspace(0, width, 33)
    phase, cycles = rng.uniform(0, 6.28), rng.uniform(1.0, 2.2)
    ys = (level + wave * np.sin(xs / width * 6.28 * cycles + phase)) * height
    pen.polygon([*zip(xs, ys, strict=True), (width, height), (0, height)], fill=rgb)


def _spots(width, unit, per_square, rng):
    """Evenly spread x positions with jitter, from `per_square` positions per square of picture."""
    count = max(2, round(per_square * width / unit))
    return (np.arange(count) + rng.uniform(0.15, 0.85, count)) / count * width


def beach(pen, width, height, tint, rng):
    unit = min(width, height)
    pen.rectangle([0, HORIZON * height, width, height], fill=tint((30, 130, 190)))
    for level in (0.6, 0.65):
        for x in _spots(width, unit, 5, rng):
            pen.line(
                [(x, level * height), (x + 0.09 * unit, level * height)],
                fill=tint((220, 240, 250)),
                width=max(1, round(0.01 * unit)),
            )
    _hills(pen, width, height, tint((255, 255, 255)), 0.715, 0.012, rng)
    _hills(pen, width, height, tint((240, 212, 146)), 0.74, 0.012, rng)


def forest(pen, width, height, tint, rng):
    unit = min(width, height)
    pen.rectangle([0, 0.7 * height, width, height], fill=tint((58, 92, 44)))
    for foot, tall, rgb, per_square in ((0.7, 0.5, (24, 78, 48), 7), (0.76, 0.44, (16, 60, 34), 6)):
        for x in _spots(width, unit, per_square, rng):
            size = tall * rng.uniform(0.8, 1.15) * unit
            pen.rectangle(
                [x - 0.012 * unit, foot * height - 0.06 * unit, x + 0.012 * unit, foot * height],
                fill=tint((84, 56, 34)),
            )
            shade = tint(rgb)
            for tier in range(3):
                low = foot * height - 0.05 * unit - tier * 0.27 * size
                half = (0.24 - 0.055 * tier) * size
                pen.polygon([(x - half, low), (x + half, low), (x, low - 0.42 * size)], fill=shade)


def desert(pen, width, height, tint, rng):
    unit = min(width, height)
    _hills(pen, width, height, tint((222, 160, 84)), 0.56, 0.05, rng)
    _hills(pen, width, height, tint((236, 182, 104)), 0.68, 0.04, rng)
    _hills(pen, width, height, tint((206, 142, 74)), 0.84, 0.03, rng)
    for x in _spots(width, unit, 2.4, rng):
        foot, size, shade = rng.uniform(0.66, 0.78) * height, rng.uniform(0.2, 0.3) * unit, tint((62, 122, 70))
        thick = max(2, round(0.2 * size))
        pen.line([(x, foot), (x, foot - size)], fill=shade, width=thick)
        for direction, low in ((-1, 0.4), (1, 0.55)):
            arm = [
                (x, foot - low * size),
                (x + direction * 0.4 * size, foot - low * size),
                (x + direction * 0.4 * size, foot - (low + 0.35) * size),
            ]
            pen.line(arm, fill=shade, width=round(thick * 0.7), joint="curve")


def city(pen, width, height, tint, rng):
    unit = min(width, height)
    for x in _spots(width, unit, 5, rng):
        half, top = rng.uniform(0.07, 0.11) * unit, rng.uniform(0.16, 0.42) * height
        pen.rectangle(
            [x - half, top, x + half, 0.8 * height],
            fill=tint([(112, 118, 136), (142, 132, 128), (92, 104, 126)][rng.integers(3)]),
        )
        pane = 0.026 * unit
        for row in np.arange(top + pane, 0.72 * height, 2.2 * pane):
            for column in np.arange(x - half + 0.8 * pane, x + half - 1.2 * pane, 2 * pane):
                pen.rectangle(
                    [column, row, column + pane, row + pane],
                    fill=(255, 236, 150) if rng.random() < 0.6 else (52, 62, 84),
                )
    pen.rectangle([0, 0.76 * height, width, height], fill=tint((84, 84, 92)))
    for x in np.arange(0, width, 0.2 * unit):
        pen.rectangle([x, 0.865 * height, x + 0.1 * unit, 0.88 * height], fill=tint((240, 240, 240)))


def mountains(pen, width, height, tint, rng):
    unit = min(width, height)
    for level, rgb, per_square, tall in ((0.74, (128, 132, 156), 3, 0.62), (0.8, (98, 100, 122), 2, 0.5)):
        for x in _spots(width, unit, per_square, rng):
            peak, half = level * height - tall * rng.uniform(0.8, 1.05) * unit, 0.36 * unit
            pen.polygon([(x - half, level * height), (x, peak), (x + half, level * height)], fill=tint(rgb))
            cap = 0.3
            snow = [
                (x - cap * half, peak + cap * (level * height - peak)),
                (x, peak),
                (x + cap * half, peak + cap * (level * height - peak)),
            ]
            pen.polygon(
                [*snow, (x + 0.1 * half, snow[0][1] - 0.04 * unit), (x - 0.08 * half, snow[0][1] + 0.03 * unit)],
                fill=tint((255, 255, 255)),
            )
    _hills(pen, width, height, tint((112, 124, 92)), 0.8, 0.02, rng)


def meadow(pen, width, height, tint, rng):
    unit = min(width, height)
    _hills(pen, width, height, tint((132, 200, 92)), 0.54, 0.04, rng)
    _hills(pen, width, height, tint((104, 184, 74)), 0.68, 0.03, rng)
    petals = ((255, 255, 255), (255, 226, 90), (250, 150, 190))
    for x in _spots(width, unit, 26, rng):
        _disc(pen, x, rng.uniform(0.7, 0.98) * height, 0.012 * unit, tint(petals[rng.integers(3)]))


def lake(pen, width, height, tint, rng):
    unit = min(width, height)
    _hills(pen, width, height, tint((74, 128, 84)), 0.48, 0.03, rng)
    pen.rectangle([0, HORIZON * height, width, height], fill=tint((70, 150, 196)))
    for x in _spots(width, unit, 9, rng):
        y, size = rng.uniform(0.6, 0.95) * height, rng.uniform(0.06, 0.13) * unit
        pen.line([(x - size, y), (x + size, y)], fill=tint((170, 214, 234)), width=max(1, round(0.012 * unit)))
    for x in _spots(width, unit, 3, rng):
        for lean in (-0.04, 0, 0.04):
            tip = (x + lean * unit, rng.uniform(0.58, 0.66) * height)
            pen.line([(x, height), tip], fill=tint((50, 110, 50)), width=max(1, round(0.014 * unit)))
            pen.line([tip, (tip[0], tip[1] + 0.07 * unit)], fill=tint((110, 68, 36)), width=max(2, round(0.03 * unit)))


def village(pen, width, height, tint, rng):
    unit = min(width, height)
    _hills(pen, width, height, tint((150, 186, 110)), 0.58, 0.02, rng)
    for x in _spots(width, unit, 3, rng):
        half, top, foot = rng.uniform(0.13, 0.17) * unit, rng.uniform(0.42, 0.5) * height, 0.76 * height
        pen.rectangle([x - half, top, x + half, foot], fill=tint((244, 230, 200)))
        pen.polygon([(x - half * 1.2, top), (x, top - 0.19 * unit), (x + half * 1.2, top)], fill=tint((158, 84, 58)))
        pen.rectangle([x - 0.03 * unit, foot - 0.13 * unit, x + 0.03 * unit, foot], fill=tint((110, 72, 44)))
        for side in (-0.6, 0.6):
            pane = [x + side * half - 0.03 * unit, top + 0.06 * unit, x + side * half + 0.03 * unit, top + 0.12 * unit]
            pen.rectangle(pane, fill=(255, 232, 140))
    _hills(pen, width, height, tint((196, 176, 140)), 0.78, 0.01, rng)


PLACES = {paint.__name__: paint for paint in (beach, forest, desert, city, mountains, meadow, lake, village)}
