"""Make `.venv-colab` or `.venv-lowest`: some packages in the versions of colab.txt or lowest.txt, all else shared with
`.venv`: python3 .ci/pinned.py colab

Run setup.py first: it makes `.venv`. A second run with nothing changed returns at once.
"""

import hashlib
import sys
from pathlib import Path

import setup


def main(name):
    """Bring .venv-`name` to hold the versions of `name`.txt; returns the exit status."""
    try:
        install(name)
    except setup.SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


def install(name):
    """Make the environment anew, unless its stamp vouches for it."""
    venv, pins = setup.ROOT / f".venv-{name}", Path(__file__).with_name(f"{name}.txt")
    python, stamp = venv / "bin" / "python", venv / "cliplib-pins.txt"
    parts = [setup.requirements_digest().encode(), pins.read_bytes(), Path(__file__).read_bytes()]
    digest = hashlib.sha256(b"".join(parts)).hexdigest()
    if stamp.exists() and stamp.read_text() == digest and python.exists():
        return
    make = [setup.VENV_PYTHON, "-m", "venv", "--clear", "--without-pip", venv]
    setup.step(f"an environment in {venv.name}", lambda: setup.run(*make))
    share(setup.VENV, venv)
    # pip sees what is shared as installed: it adds what differs, and uninstalls nothing outside its own environment.
    add = ["--python", python, "install", "--only-binary=:all:", "--requirement", pins]
    setup.step(f"the versions of {pins.name}", lambda: setup.pip(*add))
    stamp.write_text(digest)


def share(source, target):
    """Let the environment `target`, made with the Python of `source`, import from there what it lacks itself."""
    packages = next(source.glob("lib/python*/site-packages"))
    (target / packages.relative_to(source) / "shared.pth").write_text(f"{packages}\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
