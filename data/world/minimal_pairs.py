"""Pairs of pictures that differ in one respect, with a text for each: what fools a model."""

from dataclasses import replace

from PIL import ImageDraw

from data.world.drawing import draw
from data.world.scenes import Scene, Thing


def minimal_pairs(written="SNOW"):
    """Four of them: {what they differ in: (two texts, two pictures)}, each text first of all true of its own picture.

    written: a word that is written over the meadow of the last.
    """
    dog, tent = Thing("dog", "white", "big", "left"), Thing("tent", "red", "big", "right")
    left = draw(Scene((dog, tent), "left of", "meadow", "sun"), seed=1)
    swapped = replace(tent, side="left"), replace(dog, side="right")
    right = draw(Scene(swapped, "left of", "meadow", "sun"), seed=1)
    alone = draw(Scene((dog,), "", "meadow", "sun"), seed=1)
    snowy = draw(Scene((dog,), "", "meadow", "snow"), seed=1)
    signed = alone.copy()
    ImageDraw.Draw(signed).text((30, 20), written, font_size=60, fill="white", stroke_width=4, stroke_fill="black")
    return {
        "left and right": (["a dog left of a tent", "a tent left of a dog"], [left, right]),
        "counting": (["a dog", "a dog and a tent"], [alone, left]),
        "negation": (["a meadow with no snow", "a meadow with snow"], [alone, snowy]),
        "written words": (["a meadow on a sunny day", "snow"], [signed, snowy]),
    }
