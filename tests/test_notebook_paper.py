"""Notebook 12 from top to bottom against a local server that has some of the paper's files and fails at the others."""

from pathlib import Path
from urllib.parse import unquote

import nbformat
import pandas as pd
import pytest

from data.paper import comparison
from tests.harness.libraries import draw_picture, draw_video, save_random_clip
from tests.harness.servers import Silent, answering

DOG = "mixkit-dog-catches-a-frisbee-in-mid-air-1557-medium.mp4"
# What the server does instead of sending the file, by the file's name without its suffix.
FAILURES = {
    "f4S3rQiCRSc": "missing",
    "t5GekS4FNVk": "page",
    "FGZBXeQxDSM": "cut",
    "mixkit-christmas-dinner-with-friends-42144-medium": "forbidden",
}
STATES = {"missing": "not found", "page": "not what it says", "cut": "incomplete", "forbidden": "refused"}


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """The address of photos under /photos/<id>, and videos under /videos/<name>."""
    folder = tmp_path_factory.mktemp("web")
    film = draw_video(folder / "film.mp4", 5, seconds=6).read_bytes()

    class Handler(Silent):
        def do_GET(self):
            name = unquote(self.path).rsplit("/", 1)[1]
            what = FAILURES.get(Path(name).stem)
            body = b"<!doctype html><title>Sign in</title>" if what == "page" else self.file(name)
            status = {"missing": 404, "forbidden": 403}.get(what, 200)
            self.send(status, body[: len(body) // 2] if what == "cut" else body, len(body))

        def file(self, name):
            if self.path.startswith("/videos/"):
                return film
            picture = draw_picture(folder / f"{sum(name.encode())}.png", sum(name.encode()), size=(320, 240))
            return picture.read_bytes()

    with answering(Handler) as address:
        yield address


@pytest.mark.slow
def test_the_table_is_complete_and_each_failure_is_named(suite, run, web, tmp_path):
    content = nbformat.read(suite / "notebooks" / "12_redo_the_paper.ipynb", 4)
    cell = next(cell for cell in content.cells if "parameters" in cell.metadata.get("tags", []))
    model = save_random_clip(tmp_path / "clip.safetensors")
    cell.source = (
        f"folder = pathlib.Path({str(tmp_path / 'paper')!r})\nmodel = {str(model)!r}\npause_s = 0\n"
        f"photos_at = '{web}/photos/{{id}}'\nvideos_at = '{web}/videos/{{name}}'"
    )
    outputs = run(content)
    redone = pd.read_csv(tmp_path / "paper" / "redone.csv", keep_default_na=False)
    assert len(redone) == len(comparison.printed_scores()) == 32
    for name, what in FAILURES.items():
        notes = redone.loc[redone["file"].str.startswith(name), "note"]
        assert len(notes) and notes.str.contains(f"{STATES[what]}: ").all(), (name, list(notes))
    assert redone.loc[redone["file"].str.startswith("IMG_"), "note"].str.contains("nowhere: ").all()
    dog = redone[redone["file"] == DOG]
    assert (pd.to_numeric(dog["difference"]) == pd.to_numeric(dog["ours"]) - dog["paper"]).all()
    assert (redone["ours"] != "").sum() >= 15
    assert any("The paper's own files, with" in output.get("text", "") for output in outputs)
    assert any("of 32 printed scores could be compared" in output.get("text", "") for output in outputs)
