"""Small libraries for tests: pictures and videos drawn on the spot, and a random CLIP that loads like any other."""

import numpy as np
from PIL import Image, ImageDraw


def picture(seed, size=(160, 120)):
    """A picture of a few coloured shapes, another one for every seed."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(random.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = random.integers(0, size[0]), random.integers(0, size[1])
        pen.ellipse([x, y, x + 50, y + 40], fill=tuple(random.integers(0, 256, 3).tolist()))
    return image


def draw_picture(file, seed, size=(160, 120), **options):
    """A `picture`, saved in the format of its suffix; its file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size).save(file, **options)
    return file


def draw_video(file, seed, seconds=3, fps=10):
    """A video of shapes that change every second, H.264 in MP4."""
    import av

    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for second in range(seconds):
            image = picture(seed * 1000 + second)
            for _ in range(fps):
                container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
    return file


def five_photos_and_a_video(root, weights):
    """An indexed library of five photos, two of them of one name, and a video."""
    import cliplib

    for i, name in enumerate(["a.jpg", "b.png", "one/IMG_1.jpg", "two/IMG_1.jpg", "two/c.webp"]):
        draw_picture(root / name, i)
    draw_video(root / "two" / "v.mp4", 7)
    library = cliplib.Library(root, model=weights, device="cpu", precision="fp32")
    library.index(progress=False)
    return library


def save_random_clip(file, seed=0):
    """A CLIP of the real architecture, 32 pixels and 32 numbers a row, random weights, as safetensors."""
    import clip.model
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    model = clip.model.CLIP(32, 32, 1, 64, 8, 77, 49408, 64, 1, 1)
    save_file(model.state_dict(), file, metadata={"activation": "quickgelu"})
    return file


class FileAround:
    """A stand-in for the open file `self.file`: whatever a subclass does not do itself, the file does."""

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
