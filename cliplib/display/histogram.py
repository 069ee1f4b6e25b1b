"""Scores as a small histogram, with the cutoff in it."""

from __future__ import annotations

from html import escape

import numpy as np

BINS = 48
TALLEST = 60  # height of the highest bar, in the drawing's units


def histogram_svg(
    upper: np.ndarray, span: tuple[float, float], cutoff: float, label: str, lower: np.ndarray | None = None
) -> str:
    """Draw scores as bars on a line, and those of a second group as bars that hang from it.

    A bar's height is the square root of its count, so that the few good scores at the right are seen.

    Args:
        upper: Scores above the line, float (n,).
        span: The lowest and the highest score that is drawn.
        cutoff: The score at which an upright line is drawn.
        label: What is shown, in words, for a screen reader.
        lower: Scores below the line, float (m,), such as those of wrong pictures.

    Returns:
        An SVG element. Its colours are those of `style`, light or dark.
    """
    groups = [np.sqrt(np.histogram(group, BINS, span)[0]) for group in (upper, lower) if group is not None]
    tallest = max(1e-9, *(float(group.max()) for group in groups))
    bars = ""
    for number, group in enumerate(groups):
        for place, tall in enumerate(TALLEST * group / tallest):
            if tall:
                top, kind = (66, ' class="other"') if number else (64 - tall, "")
                bars += f'<rect x="{10 * place}" y="{top:.1f}" width="9" height="{tall:.1f}"{kind}/>'
    width, height = 10 * BINS, 80 if lower is None else 142
    at = width * (min(max(cutoff, span[0]), span[1]) - span[0]) / (span[1] - span[0])
    side, gap = ("end", -4) if at > width / 2 else ("start", 4)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{bars}'
        f'<line x1="{at:.0f}" y1="0" x2="{at:.0f}" y2="{height - 14}"/>'
        f'<text x="{at + gap:.0f}" y="10" text-anchor="{side}">cutoff {cutoff:.2f}</text>'
        f'<text x="0" y="{height - 2}">{span[0]:.2f}</text>'
        f'<text x="{width}" y="{height - 2}" text-anchor="end">{span[1]:.2f}</text></svg>'
    )
