"""Make `.venv-colab`: the light packages in Colab's versions, all else shared with `.venv`: python3 .ci/colab.py

Run setup.py first: it makes `.venv`. A second run with nothing changed returns at once.
"""

import hashlib
import sys
from pathlib import Path

import setup

VENV = setup.ROOT / ".venv-colab"
VENV_PYTHON = VENV / "bin" / "python"
PINS = Path(__file__).with_name("colab.txt")
STAMP = VENV / "cliplib-colab.txt"


def main():
    """Bring .venv-colab to hold Colab's versions; returns the exit status."""
    try:
        install()
    except setup.SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


def install():
    """Make the environment anew, unless the stamp vouches for it."""
    parts = [setup.requirements_digest().encode(), PINS.read_bytes(), Path(__file__).read_bytes()]
    digest = hashlib.sha256(b"".join(parts)).hexdigest()
    if STAMP.exists() and STAMP.read_text() == digest and VENV_PYTHON.exists():
        return
    make = [setup.VENV_PYTHON, "-m", "venv", "--clear", "--without-pip", VENV]
    setup.step("an environment in .venv-colab", lambda: setup.run(*make))
    share(setup.VENV, VENV)
    # pip sees what is shared as installed: it adds what differs, and uninstalls nothing outside its own environment.
    add = ["--python", VENV_PYTHON, "install", "--only-binary=:all:", "--requirement", PINS]
    setup.step("Colab's versions of the light packages", lambda: setup.pip(*add))
    STAMP.write_text(digest)


def share(source, target):
    """Let the environment `target`, made with the Python of `source`, import from there what it lacks itself."""
    packages = next(source.glob("lib/python*/site-packages"))
    (target / packages.relative_to(source) / "shared.pth").write_text(f"{packages}\n")


if __name__ == "__main__":
    sys.exit(main())
