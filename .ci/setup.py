"""Make `.venv` in the clone and install everything in it: python3 .ci/setup.py [group ...]

Groups are `run` (always there) and the extras of pyproject.toml: test, lab, cluster, open_clip, phone, raw.
Standard library only. A second run with nothing changed returns at once: a stamp in
.venv holds a digest of the requirement files and groups.
"""

import sys


def refuse_old_python(version):
    """Exit with a message where `version` (a tuple as sys.version_info) is older than 3.10."""
    if tuple(version[:2]) < (3, 10):
        sys.exit(
            f"setup: cliplib needs Python 3.10 or newer, and {sys.executable} is {version[0]}.{version[1]}. "
            "Install a newer one and name it, such as: make PYTHON=python3.12 setup"
        )


refuse_old_python(sys.version_info)  # before anything below that an old Python does not know

import hashlib
import importlib.util
import json
import os
import subprocess
import time
from pathlib import Path

import sources

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "cliplib-setup.json"

CLIP_LIMIT_S = 300  # a network may answer the probe and then stall; the registry's build is the way out
# CLIP's set-up script and clip-anytorch's module both import pkg_resources, which setuptools 81 dropped.
BUILD_TOOLS = ["pip", "setuptools>=77,<81", "wheel"]
MODULES = ["clip", "torch", "torchvision", "cv2", "av", "pillow_heif"]


class SetupError(Exception):
    """A step that failed; the message says what to do."""


def main(groups):
    """Bring .venv to hold `groups`; returns the exit status."""
    try:
        install(sorted({"run", *groups}))
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def install(groups):
    """Install what the stamp does not vouch for, each step one line with its seconds."""
    digest, stamp = requirements_digest(), read_stamp()
    if stamp["digest"] == digest and set(groups) <= set(stamp["groups"]):
        return
    groups = sorted({*groups, *stamp["groups"]})
    started = time.monotonic()
    make_venv()
    step("pip and build tools", lambda: pip("install", "--upgrade", *BUILD_TOOLS))
    clip, torch = sources.choose()
    install_torch(torch)
    extras = ",".join(group for group in groups if group != "run")
    target = f"{ROOT}[{extras}]" if extras else str(ROOT)
    step(f"cliplib for {', '.join(groups)}", lambda: pip("install", "--no-build-isolation", "--editable", target))
    install_clip(clip)
    mend_opencv()
    step("a look that all can be imported", lambda: check_imports(MODULES))
    STAMP.write_text(json.dumps({"digest": digest, "groups": groups}))
    print(f"setup: ready in {time.monotonic() - started:.0f} s", flush=True)


def requirements_digest():
    """A digest of all that decides what is installed: the requirement files, this script and where the clone lies."""
    digest = hashlib.sha256(str(ROOT).encode())  # an editable install points at the clone, so moving it counts
    for path in (ROOT / "requirements.txt", ROOT / "pyproject.toml", Path(__file__), Path(sources.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_stamp():
    """What an earlier run finished: {"digest", "groups"}; both empty where there is none, or its Python is gone."""
    try:
        stamp = json.loads(STAMP.read_text())
        if VENV_PYTHON.exists():
            return {"digest": stamp["digest"], "groups": stamp["groups"]}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"digest": "", "groups": []}


def step(words, action):
    """Run `action`, saying `words` before it and its seconds after it."""
    print(f"setup: {words} ... ", end="", flush=True)
    started = time.monotonic()
    try:
        action()
    except SetupError:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - started:.1f} s", flush=True)


def run(*command, limit_s=None):
    """Run `command` to its end with no input; raises SetupError with the end of what it printed."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    env.update(GIT_TERMINAL_PROMPT="0", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PIP_USER="0")
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=limit_s,
            env=env,
            cwd=ROOT,
        )
    except subprocess.TimeoutExpired:
        raise SetupError(f"no end after {limit_s} s: {' '.join(map(str, command))}") from None
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-12:])
        raise SetupError(f"this command ended {done.returncode}: {' '.join(map(str, command))}\n{tail}")


def pip(*arguments, limit_s=None):
    """Run the environment's own pip; the message of a failure says what usually helps."""
    try:
        run(VENV_PYTHON, "-m", "pip", "--quiet", *arguments, limit_s=limit_s)
    except SetupError as error:
        raise SetupError(
            f"{error}\nCheck the network and the free disk space (PyTorch with CUDA wants 12 GB), then run the same "
            "command again: it goes on from here."
        ) from None


def make_venv():
    """Make .venv, or make it anew where an earlier one is broken or half made."""
    missing = venv_problem()
    if missing:
        raise SetupError(missing)
    try:
        run(VENV_PYTHON, "-m", "pip", "--version")
    except (OSError, SetupError):
        python = ".".join(map(str, sys.version_info[:3]))
        step(f"Python {python} environment in .venv", lambda: run(sys.executable, "-m", "venv", "--clear", VENV))


def venv_problem(find_spec=importlib.util.find_spec):
    """What to do where this Python cannot make environments (Debian packages that apart), else None."""
    if find_spec("venv") and find_spec("ensurepip"):
        return None
    major, minor = sys.version_info[:2]
    return (
        f"{sys.executable} lacks venv or ensurepip, which Debian and Ubuntu package apart. Run: sudo apt install "
        f"python3-venv (python{major}.{minor}-venv for a Python beside the system's own), then the same command again."
    )


def install_torch(candidates):
    """Install torch and torchvision in one resolution, so that they match, from the first source that works."""

    def attempt(arguments):
        pip("install", *arguments, "torch", "torchvision")
        try:
            check_imports(["torch", "torchvision"])
        except SetupError:  # a mismatched pair installs well and fails here; the next source must not keep it
            pip("uninstall", "--yes", "torch", "torchvision")
            raise

    first_that_works([(words, lambda arguments=arguments: attempt(arguments)) for words, arguments in candidates])


def install_clip(candidates):
    """Install CLIP's own code from the first source that works, unless it is there from an earlier run."""
    try:
        check_imports(["clip"])
    except SetupError:

        def attempt(source):
            pip("install", "--no-deps", "--no-build-isolation", source, limit_s=CLIP_LIMIT_S)
            check_imports(["clip"])

        first_that_works([(words, lambda source=source: attempt(source)) for words, source in candidates])


def first_that_works(attempts):
    """Take the steps (words, action) in turn until one succeeds; the last one's failure is raised."""
    for words, action in attempts[:-1]:
        try:
            return step(words, action)
        except SetupError as error:
            print(f"setup: going on without it: {error}", file=sys.stderr)
    return step(*attempts[-1])


def mend_opencv():
    """Where libGL or libglib is missing, swap opencv-python for its headless build (one only: they share a folder)."""
    try:
        check_imports(["cv2"])
    except SetupError:

        def swap():
            pip("uninstall", "--yes", "opencv-python", "opencv-python-headless")
            pip("install", "opencv-python-headless")
            check_imports(["cv2"])

        step("OpenCV without windows, as libGL or libglib is missing", swap)


def check_imports(modules):
    """Import `modules` in the environment; raises SetupError where one fails."""
    run(VENV_PYTHON, "-c", f"import {', '.join(modules)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
