"""The command line beside its commands: what messages say, closed pipes, poor locales, no home folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cliplib
from cliplib import places
from cliplib.__main__ import main
from tests.harness.libraries import draw_picture


@pytest.fixture
def library(tmp_path, weights):
    for i in range(6):
        draw_picture(tmp_path / "my photos" / f"p{i}.png", i, size=(32, 24))
    library = cliplib.Library(tmp_path / "my photos", model=weights)
    library.index(progress=False)
    return library


def check(library, repo, environment=(), **options) -> subprocess.Popen:
    """`cliplib check` in a process of its own, which loads no model."""
    kept = {name: value for name, value in os.environ.items() if name not in ("HOME", "LANG", "LC_ALL")}
    command = [sys.executable, "-m", "cliplib", "check", str(library.root)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": repo}
    return subprocess.Popen(command, env=kept | dict(environment), **streams | options)


class TestMessages:
    def test_name_shell_commands(self, library, weights, capsys):
        model = ["--model", str(weights)]
        draw_picture(library.root / "new.png", 9)
        main(["check", str(library.root), *model])
        run = f"python -m cliplib index '{library.root}' --model {weights}"
        assert f"run {run}: it encodes" in capsys.readouterr().out
        for file in [*library.root.glob("p*.png")][1:]:
            file.unlink()
        assert main(["index", str(library.root), *model]) == 1
        assert f"run python -m cliplib index '{library.root}' --confirm-removals --model" in capsys.readouterr().err

    def test_name_the_model_that_has_an_index(self, library, weights, capsys):
        assert main(["search", str(library.root), "a dog"]) == 1
        assert f"or take --model {weights}, which has one" in capsys.readouterr().err

    def test_names_do_nothing_to_the_terminal(self, library, weights, capsys):
        (library.root / "a\x1b[2J\x07.png").write_bytes(b"no picture")
        main(["index", str(library.root), "--model", str(weights)])
        told = capsys.readouterr()
        assert r"a\x1b[2J\x07.png" in told.out and not {"\x1b[2J", "\x07"} & {*told.out, *told.err}
        main(["check", str(library.root)])
        assert r"a\x1b[2J\x07.png" in capsys.readouterr().out

    def test_retry_failed_tries_again(self, library, weights, capsys, monkeypatch):
        (library.root / "bad.png").write_bytes(b"no picture")
        arguments = ["index", str(library.root), "--model", str(weights), "--json"]
        main(arguments)
        monkeypatch.setattr("cliplib.index.pipeline.read_bytes", lambda path: draw_picture(path, 9).read_bytes())
        capsys.readouterr()
        main(arguments)
        assert '"indexed": 0' in capsys.readouterr().out
        main([*arguments, "--retry-failed"])
        assert '"indexed": 1' in capsys.readouterr().out


class TestSurroundings:
    def test_a_pipe_that_closes_is_no_traceback(self, library, repo):
        asked = check(library, repo)
        asked.stdout.close()
        assert (asked.stderr.read(), asked.wait()) == (b"", 141)

    def test_a_locale_that_knows_no_accents_and_no_home_are_no_traceback(self, library, repo):
        (library.root / "Été.png").write_bytes(b"")
        poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        out, err = check(library, repo, poor).communicate()
        assert b"6 rows, sound" in out and err == b""

    def test_where_no_home_is_known_a_folder_for_temporary_files_stands_for_it(self, monkeypatch, tmp_path):
        def unknown():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", unknown)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert places.home().parent == tmp_path and places.expanded("~/a/b") == places.home() / "a" / "b"
