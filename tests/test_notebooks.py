"""Every notebook runs from top to bottom on a fresh kernel with the sample library, and is committed clean."""

import re
import sys
from pathlib import Path

import ipywidgets
import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
LESSONS = [notebook for notebook in NOTEBOOKS if notebook.stem != "app"]


def names(notebook):
    return notebook.stem


def train_less(content):
    """A tenth of the lesson's steps: enough to see that it learns. `python -m data.tiny.lesson` measures all of it."""
    cell = next(cell for cell in content.cells if "parameters" in cell.metadata.get("tags", []))
    cell.source, changed = re.subn(r"steps = \d+\nscenes = \d+", "steps = 80\nscenes = 1500", cell.source)
    assert changed == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)  # one of them trains a model; a busy machine may take its time
@pytest.mark.parametrize("notebook", LESSONS, ids=names)
def test_runs_from_top_to_bottom(notebook, suite, run):
    content = nbformat.read(notebook, 4)
    if notebook.stem == "11_train_a_tiny_clip":
        train_less(content)
    outputs = run(content)
    assert str(suite) in outputs[0].text  # the library that ran is the copy's own
    if notebook.stem == "11_train_a_tiny_clip":  # on 100 scenes that it never saw; by chance 0.05
        told = " ".join(output.get("text", "") for output in outputs)
        before, after = map(float, re.findall(r"recall at 5: (\d\.\d+)", told))
        assert before <= 0.15 and after >= before + 0.05


@pytest.mark.slow
def test_the_app_is_boxes_over_the_library_that_it_is_given(suite, run, monkeypatch):
    monkeypatch.setenv("CLIPLIB_FOLDER", "data/sample/town")
    content = nbformat.read(suite / "notebooks" / "app.ipynb", 4)
    content.cells.append(nbformat.v4.new_code_cell("library.index(progress=False)\nprint(len(library), library.root)"))
    *_, boxes, told = run(content)
    assert "application/vnd.jupyter.widget-view+json" in boxes.data
    assert told.text == f"62 {suite / 'data/sample/town'}\n"


@pytest.mark.slow
def test_a_notebook_runs_in_the_environment_of_its_tests(run):
    cell = nbformat.v4.new_code_cell("import ipywidgets, sys\nprint(sys.prefix, ipywidgets.__version__)")
    told = run(nbformat.v4.new_notebook(cells=[cell]))[0].text
    assert told == f"{sys.prefix} {ipywidgets.__version__}\n"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=names)
class TestForm:
    def test_is_committed_without_outputs(self, notebook):
        code = [cell for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
        assert not [cell for cell in code if cell.outputs or cell.execution_count]

    def test_saves_no_pictures_on_colab(self, notebook):
        assert nbformat.read(notebook, 4).metadata["colab"]["private_outputs"] is True

    def test_no_code_cell_is_longer_than_15_lines(self, notebook):
        cells = [cell for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
        assert max(len(cell.source.splitlines()) for cell in cells) <= 15

    def test_has_a_parameters_cell(self, notebook):
        assert any("parameters" in cell.metadata.get("tags", []) for cell in nbformat.read(notebook, 4).cells)


@pytest.mark.parametrize("notebook", LESSONS, ids=names)
class TestLesson:
    def test_has_a_badge_a_question_aims_a_recap_and_exercises_with_solutions(self, notebook):
        texts = [cell.source for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "markdown"]
        assert "colab-badge" in texts[0] and "?" in texts[0].splitlines()[2]
        assert "**You will" in texts[0] and any("## What you have" in text for text in texts)
        assert any("<summary>Solution</summary>" in text for text in texts)

    def test_leads_on_to_pages_that_are_there(self, notebook):
        texts = [cell.source for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "markdown"]
        assert texts[-1].startswith("Next: ")
        links = re.findall(r"\]\((\w+\.(?:ipynb|md))\)", "\n".join(texts))
        assert links and not [link for link in links if not (notebook.parent / link).is_file()]

    def test_every_notebook_sets_up_in_the_same_way(self, notebook):
        def setup(path):
            return next(c.source for c in nbformat.read(path, 4).cells if "setup" in c.metadata.get("tags", []))

        assert setup(notebook) == setup(LESSONS[0])
