"""What the README says is true: its snippets run, its commands exist, its tables list what is there."""

import contextlib
import itertools
import re
import shlex
from pathlib import Path

import nbformat
import pillow_heif
import pytest
from PIL import Image

import cliplib
from cliplib.__main__ import main
from cliplib.calibrate.cutoffs import Cutoffs
from cliplib.media import formats, photo
from cliplib.search.results import Cutoff
from tests.harness.libraries import draw_picture, draw_video, save_random_clip

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which the README's names are: photos with a video, another picture, and random weights."""
    home = tmp_path_factory.mktemp("readme")
    for number in range(6):
        draw_picture(home / "photos" / "trips" / f"{number}.jpg", number)
    picture = Image.open(draw_picture(home / "pool.jpg", 10))
    pillow_heif.from_pillow(picture).save(home / "photos" / "IMG_0042.HEIC")
    draw_video(home / "photos" / "frisbee.mp4", 3, seconds=4)
    save_random_clip(home / "clip.safetensors")
    return home


@pytest.mark.slow
def test_the_python_snippets_run_one_after_the_other(home, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.setitem(cliplib.Library.__init__.__kwdefaults__, "device", "cpu")
    monkeypatch.setattr(cliplib.Library.__init__, "__defaults__", (str(home / "clip.safetensors"),))
    monkeypatch.setattr(
        Cutoffs, "__call__", lambda self, mode: Cutoff(-1.0, calibrated="cosine")
    )  # random weights reach no cutoff
    names = {}
    for snippet in blocks("python"):
        exec(compile(snippet, "README.md", "exec"), names)
    assert (home / "album.parquet").stat().st_size and (home / "frisbee.mp4").stat().st_size
    assert (home / "found.csv").read_text().count("\n") == len(names["hits"]) + 1
    assert len(list((home / "found").iterdir())) == len({hit.path for hit in names["hits"]})


COMMANDS = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines() if " cliplib " in line]


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in COMMANDS if "selftest" not in command])
def test_the_shell_commands_run(command, home, monkeypatch):
    monkeypatch.chdir(home)
    words = shlex.split(command)[3:]
    model = [] if words[0] == "check" else ["--model", str(home / "clip.safetensors")]
    with contextlib.suppress(SystemExit):
        assert main([*words, *model]) in (0, None)


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for page in ("README.md", "data/README.md", "notebooks/README.md"):
        named = set(re.findall(r"`make ([a-z-]+)", (ROOT / page).read_text(encoding="utf-8")))
        assert named <= targets, f"{page} names {sorted(named - targets)}"


def test_the_table_of_notebooks_has_each_with_its_own_question():
    rows = dict(re.findall(r"^\| `(\d\d_\w+)` \| ([^|]+) \|", README, flags=re.MULTILINE))
    notebooks = {path.stem: path for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert list(rows) == sorted(notebooks)
    for name, question in rows.items():
        heading = nbformat.read(notebooks[name], 4).cells[0].source.splitlines()[2].removeprefix("# ")
        assert question.strip() == heading, name


def test_what_it_reads_is_what_is_looked_at_and_can_be_opened():
    told = README.split("## What it reads")[1].split("\n## ")[0]
    listed = {
        kind: set(re.findall(r"`(\.\w+)`", row))
        for kind, row in re.findall(r"^\| (photos|raw photos|videos) \|(.*)", told, re.M)
    }
    suffixes = {"photos": formats.IMAGE_SUFFIXES, "raw photos": formats.RAW_SUFFIXES, "videos": formats.VIDEO_SUFFIXES}
    assert listed == suffixes
    assert {each.name for each in formats.PHOTO_FORMATS} == {*photo.OPENERS, "HEIC"}
    assert not formats.FILE_KINDS.keys() & formats.UNREAD_KINDS.keys()
    folders = set(re.findall(r"`([^`]+)`", told.split("Left out are")[1].split("and the like")[0]))
    assert folders <= {rule.strip("/\\") for rule in formats.LEFT_OUT}


def test_every_room_of_the_house_is_in_the_table():
    table = README.split("## Where things are")[1].split("\n## ")[0]
    rows = " ".join(re.findall(r"^\| `cliplib/(.*?) \|", table, flags=re.MULTILINE))
    told = set(re.findall(r"\w+", rows))
    doors_and_old_names = {"__init__", "__main__", "__pycache__", "lab"}
    assert told == {path.stem for path in (ROOT / "cliplib").iterdir()} - doors_and_old_names


@pytest.mark.parametrize("page", ["README.md", "notebooks/README.md"])
def test_links_to_files_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert target.startswith("https://") or ((ROOT / page).parent / target).exists(), target


def test_where_do_i_change_names_files_that_are_there():
    table = README.split("### Where do I change ...")[1].split("\n#")[0]
    rows = [row.split("|")[2] for row in table.splitlines() if row.startswith("| ") and "`" in row]
    places = [re.findall(r"`([\w/]+\.(?:py|js))`", row) for row in rows]
    assert len(places) == 11 and all(1 <= len(names) <= 2 for names in places[:7])
    for name in itertools.chain(*places):
        inside = ROOT / name if name.startswith("cliplib/") else None
        assert inside.is_file() if inside else list((ROOT / "cliplib").glob(f"**/{name}")), name
