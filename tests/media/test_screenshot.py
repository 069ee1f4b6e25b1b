"""What shows a screen."""

import pytest

from cliplib.media.screenshot import is_screenshot


@pytest.mark.parametrize(
    ("path", "size", "camera", "is_one"),
    [
        ("a/Screenshot_20200101-120000.jpg", (90, 160), None, True),
        ("a/Bildschirmfoto 2020.png", (800, 600), None, True),
        ("a/IMG_0001.PNG", (1334, 750), None, True),  # a telephone's screen, lying
        ("a/IMG_0001.PNG", (1333, 750), None, False),
        ("a/IMG_0001.jpg", (750, 1334), None, False),  # photos are JPEG; messengers send them without camera data
        ("a/IMG_0001.PNG", (750, 1334), "Apple iPhone 7", False),
        ("Screenshots/IMG_1.jpg", (750, 1334), None, False),  # the file's own name counts
    ],
)
def test_by_name_size_and_camera(path, size, camera, is_one):
    assert is_screenshot(path, *size, camera) is is_one
