"""Every notebook runs from top to bottom on a fresh kernel with the sample library, and is committed clean."""

import os
import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def names(notebook):
    return notebook.stem


@pytest.fixture(scope="module")
def suite(tmp_path_factory, repo):
    """A copy of what a student has: the notebooks, the package and the data; and an empty home folder."""
    copy = tmp_path_factory.mktemp("suite") / "cliplib"
    skip = shutil.ignore_patterns(".cliplib", "__pycache__")
    for name in ("notebooks", "cliplib", "data"):
        shutil.copytree(repo / name, copy / name, ignore=skip)
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=names)
def test_runs_from_top_to_bottom(notebook, suite, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "agg")
    os.environ.pop("PYTHONPATH", None)
    content = nbformat.read(notebook, 4)
    client = nbclient.NotebookClient(content, timeout=300, resources={"metadata": {"path": suite / "notebooks"}})
    client.execute()
    outputs = [output for cell in content.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert str(suite) in outputs[0].text  # the library that ran is the copy's own


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

    def test_has_a_badge_a_question_aims_a_recap_and_exercises_with_solutions(self, notebook):
        texts = [cell.source for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "markdown"]
        assert "colab-badge" in texts[0] and "?" in texts[0].splitlines()[2]
        assert "**You will" in texts[0] and any("## What you have" in text for text in texts)
        assert any("<summary>Solution</summary>" in text for text in texts)

    def test_every_notebook_sets_up_in_the_same_way(self, notebook):
        def setup(path):
            return next(c.source for c in nbformat.read(path, 4).cells if "setup" in c.metadata.get("tags", []))

        assert setup(notebook) == setup(NOTEBOOKS[0])

    def test_has_a_parameters_cell(self, notebook):
        assert any("parameters" in cell.metadata.get("tags", []) for cell in nbformat.read(notebook, 4).cells)
