"""Whether a picture shows a screen, told by its name, its size, and that no camera is named."""

import re

SCREENSHOT = re.compile(
    r"screen[ _-]?shot|screen[ _-]?capture|bildschirmfoto|captura[ _-]de[ _-](pantalla|ecr|tela)|"
    r"capture[ _-]d.?[eé]cran|schermafbeelding|schermata|zrzut[ _-]ekranu|"
    r"スクリーンショット|截屏|截图|屏幕截图|스크린샷",
    re.IGNORECASE,
)
# Short and long side in pixels of common telephones' and tablets' screens; a photo has none of these sizes.
SCREENS = frozenset(
    {
        *((640, 1136), (750, 1334), (828, 1792), (1080, 1920), (1125, 2436), (1170, 2532), (1179, 2556)),
        *((1206, 2622), (1242, 2208), (1242, 2688), (1284, 2778), (1290, 2796), (1320, 2868)),
        *((720, 1280), (720, 1520), (720, 1600), (1080, 2160), (1080, 2220), (1080, 2240), (1080, 2280)),
        *((1080, 2340), (1080, 2400), (1080, 2408), (1080, 2460), (1344, 2992), (1440, 2560), (1440, 2960)),
        *((1440, 3040), (1440, 3088), (1440, 3120), (1440, 3200), (1008, 2244)),
        *((1536, 2048), (1620, 2160), (1640, 2360), (1668, 2224), (1668, 2388), (2048, 2732)),
    }
)


def is_screenshot(path: str, width: int, height: int, camera: str | None) -> bool:
    """Whether a picture shows a screen: it names no camera, and its name says so or it is a PNG of a screen's size."""
    if camera:
        return False
    name = path.rpartition("/")[2]
    screen = name.lower().endswith(".png") and (min(width, height), max(width, height)) in SCREENS
    return screen or bool(SCREENSHOT.search(name))
