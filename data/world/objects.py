"""The objects of the drawn world, each a sticker: one main colour, a dark outline and a thin pale rim.

Coordinates run from 0 to 1 over the sticker's square, y downwards, and an object stands on y = 1.
"""

from PIL import Image, ImageDraw, ImageFilter

INK = (32, 28, 40)
PALE = (250, 248, 240)
GREY = (150, 152, 160)
BROWN = (132, 86, 48)

# Height of the surface that another object can sit on, as a share of the sticker.
SEAT_HEIGHT = {"car": 0.66, "chair": 0.44, "mushroom": 0.86}


class Pen:
    """Draws outlined shapes on a square sticker of `size` pixels in the object's own colour (or another)."""

    def __init__(self, image, rgb):
        self.draw, self.size, self.rgb = ImageDraw.Draw(image), image.width, rgb
        self.line_px = max(1, round(image.width * 0.022))

    def _scaled(self, points):
        return [(x * (self.size - 1), y * (self.size - 1)) for x, y in points]

    def shape(self, *points, rgb=None):
        corners = self._scaled(points)
        self.draw.polygon(corners, fill=rgb or self.rgb)
        self.draw.line([*corners, corners[0], corners[1]], fill=INK, width=self.line_px, joint="curve")

    def oval(self, x0, y0, x1, y1, rgb=None, outlined=True):
        box = [value * (self.size - 1) for value in (x0, y0, x1, y1)]
        self.draw.ellipse(box, fill=rgb or self.rgb, outline=INK if outlined else None, width=self.line_px)

    def slice(self, x0, y0, x1, y1, start, end, rgb=None):
        box = [value * (self.size - 1) for value in (x0, y0, x1, y1)]
        self.draw.pieslice(box, start, end, fill=rgb or self.rgb, outline=INK, width=self.line_px)

    def line(self, *points, rgb=INK, width=1.0):
        self.draw.line(self._scaled(points), fill=rgb, width=max(1, round(self.line_px * width)), joint="curve")

    def dot(self, x, y, radius, rgb=INK):
        self.oval(x - radius, y - radius, x + radius, y + radius, rgb=rgb, outlined=False)


def draw_object(kind, rgb, size_px, mirrored=False):
    """Draw one object as an RGBA sticker of size_px squared, facing left if mirrored.

    Raises KeyError for an unknown kind.
    """
    sticker = Image.new("RGBA", (size_px, size_px), (0, 0, 0, 0))
    OBJECTS[kind](Pen(sticker, rgb))
    if mirrored:
        sticker = sticker.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    rim_px = 2 * max(1, round(size_px * 0.012)) + 1
    rim = sticker.getchannel("A").filter(ImageFilter.MaxFilter(rim_px))
    backing = Image.new("RGBA", sticker.size, (*PALE, 0))
    backing.putalpha(rim)
    return Image.alpha_composite(backing, sticker)


def car(pen):
    pen.shape((0.2, 0.6), (0.32, 0.36), (0.68, 0.36), (0.82, 0.6))
    pen.shape((0.3, 0.58), (0.37, 0.42), (0.48, 0.42), (0.48, 0.58), rgb=(206, 232, 244))
    pen.shape((0.53, 0.58), (0.53, 0.42), (0.64, 0.42), (0.72, 0.58), rgb=(206, 232, 244))
    pen.shape((0.03, 0.86), (0.04, 0.62), (0.2, 0.58), (0.82, 0.58), (0.96, 0.66), (0.97, 0.86))
    for x in (0.25, 0.75):
        pen.oval(x - 0.13, 0.73, x + 0.13, 0.99, rgb=(52, 50, 58))
        pen.oval(x - 0.055, 0.805, x + 0.055, 0.915, rgb=GREY)
    pen.dot(0.93, 0.7, 0.03, rgb=(255, 240, 160))


def boat(pen):
    pen.line((0.5, 0.05), (0.5, 0.72), rgb=BROWN, width=2.2)
    pen.shape((0.54, 0.06), (0.54, 0.64), (0.93, 0.64))
    pen.shape((0.46, 0.16), (0.46, 0.64), (0.14, 0.64), rgb=PALE)
    pen.shape((0.03, 0.7), (0.97, 0.7), (0.8, 0.97), (0.2, 0.97))
    pen.line((0.1, 0.78), (0.9, 0.78), rgb=PALE, width=1.4)


def tent(pen):
    pen.line((0.5, 0.02), (0.5, 0.2), rgb=BROWN, width=1.6)
    pen.shape((0.5, 0.1), (0.98, 0.98), (0.02, 0.98))
    pen.shape((0.5, 0.3), (0.68, 0.98), (0.32, 0.98), rgb=(60, 46, 52))
    pen.shape((0.5, 0.3), (0.43, 0.98), (0.32, 0.98), rgb=PALE)


def chair(pen):
    for x in (0.2, 0.74):
        pen.shape((x, 0.6), (x + 0.09, 0.6), (x + 0.09, 0.98), (x, 0.98), rgb=BROWN)
    pen.shape((0.14, 0.03), (0.32, 0.03), (0.32, 0.6), (0.14, 0.6))
    pen.shape((0.12, 0.54), (0.88, 0.54), (0.88, 0.7), (0.12, 0.7))


def mushroom(pen):
    pen.shape((0.4, 0.5), (0.6, 0.5), (0.66, 0.98), (0.34, 0.98), rgb=(240, 226, 200))
    pen.slice(0.03, 0.1, 0.97, 1.02, 180, 360)
    for x, y, radius in ((0.3, 0.42, 0.07), (0.52, 0.25, 0.075), (0.74, 0.42, 0.065)):
        pen.dot(x, y, radius, rgb=PALE if sum(pen.rgb) < 640 else GREY)


def flower(pen):
    pen.line((0.5, 0.45), (0.5, 0.98), rgb=(36, 110, 44), width=3)
    pen.shape((0.5, 0.9), (0.62, 0.7), (0.82, 0.68), (0.7, 0.84), rgb=(60, 150, 66))
    pen.shape((0.5, 0.95), (0.38, 0.76), (0.18, 0.74), (0.3, 0.88), rgb=(60, 150, 66))
    for x, y in ((0.5, 0.17), (0.7, 0.28), (0.66, 0.5), (0.34, 0.5), (0.3, 0.28)):
        pen.oval(x - 0.155, y - 0.155, x + 0.155, y + 0.155)
    pen.oval(0.38, 0.23, 0.62, 0.47, rgb=(150, 98, 40))


def umbrella(pen):
    pen.line((0.5, 0.05), (0.5, 0.9), rgb=BROWN, width=2.2)
    pen.line((0.5, 0.88), (0.52, 0.96), (0.6, 0.97), (0.65, 0.88), rgb=BROWN, width=2.2)
    pen.slice(0.02, 0.08, 0.98, 1.0, 180, 360)
    for x in (0.02, 0.34, 0.66):
        pen.slice(x, 0.48, x + 0.32, 0.62, 180, 360, rgb=PALE)
    pen.line((0.34, 0.52), (0.5, 0.09), (0.66, 0.52))


def ball(pen):
    pen.oval(0.14, 0.26, 0.86, 0.98)
    pen.shape((0.2, 0.45), (0.8, 0.45), (0.85, 0.56), (0.85, 0.66), (0.15, 0.66), (0.15, 0.56), rgb=PALE)
    pen.shape(
        (0.5, 0.44), (0.55, 0.53), (0.64, 0.54), (0.57, 0.6), (0.59, 0.69),
        (0.5, 0.64), (0.41, 0.69), (0.43, 0.6), (0.36, 0.54), (0.45, 0.53),
    )  # fmt: skip


def balloon(pen):
    pen.line((0.5, 0.68), (0.46, 0.78), (0.54, 0.88), (0.49, 0.99), width=1.2)
    pen.shape((0.5, 0.64), (0.57, 0.73), (0.43, 0.73))
    pen.oval(0.2, 0.02, 0.8, 0.68)
    pen.dot(0.37, 0.2, 0.06, rgb=PALE if sum(pen.rgb) < 640 else GREY)


def kite(pen):
    pen.line((0.5, 0.66), (0.4, 0.76), (0.56, 0.86), (0.44, 0.98), width=1.4)
    for x, y in ((0.43, 0.78), (0.53, 0.87)):
        pen.shape((x, y), (x - 0.09, y - 0.05), (x - 0.09, y + 0.06))
        pen.shape((x, y), (x + 0.09, y - 0.05), (x + 0.09, y + 0.06))
    pen.shape((0.5, 0.01), (0.9, 0.27), (0.5, 0.68), (0.1, 0.27))
    pen.line((0.5, 0.01), (0.5, 0.68))
    pen.line((0.1, 0.27), (0.9, 0.27))


def rocket(pen):
    pen.shape((0.42, 0.8), (0.5, 0.99), (0.58, 0.8), rgb=(255, 168, 48))
    pen.shape((0.34, 0.5), (0.14, 0.84), (0.36, 0.78), rgb=GREY)
    pen.shape((0.66, 0.5), (0.86, 0.84), (0.64, 0.78), rgb=GREY)
    pen.shape((0.5, 0.01), (0.63, 0.16), (0.68, 0.36), (0.66, 0.82), (0.34, 0.82), (0.32, 0.36), (0.37, 0.16))
    pen.oval(0.4, 0.3, 0.6, 0.5, rgb=(206, 232, 244))


def bird(pen):
    pen.line((0.46, 0.78), (0.44, 0.98), rgb=(226, 138, 30), width=1.6)
    pen.line((0.56, 0.78), (0.58, 0.98), rgb=(226, 138, 30), width=1.6)
    pen.shape((0.24, 0.58), (0.02, 0.36), (0.02, 0.58), (0.2, 0.7))
    pen.oval(0.14, 0.4, 0.8, 0.86)
    pen.oval(0.56, 0.16, 0.92, 0.52)
    pen.shape((0.9, 0.28), (1.0, 0.36), (0.89, 0.42), rgb=(240, 156, 36))
    pen.shape((0.28, 0.54), (0.56, 0.5), (0.5, 0.68), (0.34, 0.74))
    pen.dot(0.76, 0.3, 0.05, rgb=PALE)
    pen.dot(0.77, 0.3, 0.028)


def cat(pen):
    pen.line((0.72, 0.9), (0.93, 0.84), (0.92, 0.6), (0.84, 0.54), rgb=INK, width=4.2)
    pen.line((0.72, 0.9), (0.93, 0.84), (0.92, 0.6), (0.84, 0.54), rgb=pen.rgb, width=2.4)
    pen.oval(0.22, 0.46, 0.78, 1.0)
    pen.shape((0.2, 0.02), (0.46, 0.16), (0.2, 0.36))
    pen.shape((0.8, 0.02), (0.54, 0.16), (0.8, 0.36))
    pen.oval(0.18, 0.12, 0.82, 0.62)
    for x in (0.37, 0.63):
        pen.oval(x - 0.06, 0.28, x + 0.06, 0.42, rgb=(226, 240, 150))
        pen.dot(x, 0.35, 0.03)
    pen.shape((0.46, 0.44), (0.54, 0.44), (0.5, 0.5), rgb=(240, 150, 160))
    for start, end in (
        ((0.34, 0.47), (0.1, 0.43)),
        ((0.34, 0.51), (0.1, 0.54)),
        ((0.66, 0.47), (0.9, 0.43)),
        ((0.66, 0.51), (0.9, 0.54)),
    ):
        pen.line(start, end, rgb=GREY)


def dog(pen):
    pen.shape((0.1, 0.58), (0.0, 0.3), (0.08, 0.28), (0.2, 0.52))
    for x in (0.14, 0.28, 0.5, 0.62):
        pen.shape((x, 0.7), (x + 0.1, 0.7), (x + 0.1, 0.99), (x, 0.99))
    pen.shape((0.08, 0.52), (0.6, 0.5), (0.74, 0.56), (0.72, 0.78), (0.1, 0.8))
    pen.shape(
        (0.56, 0.22), (0.8, 0.2), (0.84, 0.34), (0.99, 0.38), (0.97, 0.5), (0.8, 0.54), (0.72, 0.62), (0.58, 0.58)
    )
    pen.shape((0.55, 0.2), (0.66, 0.22), (0.64, 0.5), (0.52, 0.48), rgb=BROWN)
    pen.dot(0.97, 0.4, 0.035)
    pen.dot(0.77, 0.31, 0.035, rgb=PALE)
    pen.dot(0.775, 0.31, 0.02)


OBJECTS = {draw_one.__name__: draw_one for draw_one in (
    car, boat, tent, chair, mushroom, flower, umbrella, ball, balloon, kite, rocket, bird, cat, dog
)}  # fmt: skip
