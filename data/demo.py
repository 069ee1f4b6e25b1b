"""What `make demo` runs: index the sample library with the tiny model, search it three ways, write build/demo.html."""

import sys
from pathlib import Path

from cliplib import CliplibError, Library
from cliplib.display.html import save_html

HOME = Path(__file__).resolve().parent.parent
TEXT, PHOTO, VIDEO_TEXT = "a red car", "hills/IMG_0019.HEIC", "a boat"


def main() -> int:
    """Print the report and the three answers; 0 when all three found something."""
    library = Library(HOME / "data" / "sample", model="tiny")
    report = library.index()
    print(report, end="\n\n")
    answers = [library.search(TEXT), library.similar(PHOTO), library.search_videos(VIDEO_TEXT)]
    for hits in answers:
        print(hits, end="\n\n")
    page = HOME / "build" / "demo.html"
    page.parent.mkdir(exist_ok=True)
    save_html(
        ["Index", report, "Text to image", answers[0], "Image to image", answers[1], "Text to video", answers[2]], page
    )
    print(f"The pictures are in {page.relative_to(HOME)}: open it in a browser.")
    return 0 if all(answers) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CliplibError as error:
        sys.exit(f"demo: {error}")
