"""The command line beside its commands: what messages say, closed pipes, poor locales, no home folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cliplib
from cliplib import places
from cliplib.__main__ import main
from cliplib.media.video import open_video
from tests.harness.libraries import draw_picture, five_photos_and_a_video


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


@pytest.fixture(scope="module")
def album(tmp_path_factory, weights):
    """A folder of photos and a video, indexed; and the options that let its every answer pass."""
    folder = tmp_path_factory.mktemp("album")
    five_photos_and_a_video(folder, weights)
    return folder, ["--model", str(weights), "--json", "--threshold", "-1"]


class TestAnswers:
    def told(self, capsys, command, album, *arguments) -> dict:
        """The one object on standard output."""
        folder, options = album
        capsys.readouterr()
        assert main([command, str(folder), *map(str, arguments), *options]) == 0
        return json.loads(capsys.readouterr().out)

    def test_a_picture_finds_frames_and_moments(self, album, capsys):
        hits = self.told(capsys, "videos", album, "--image", "a.jpg", "-k", 2)["hits"]
        assert len(hits) == 2 and {hit["path"] for hit in hits} == {"two/v.mp4"}
        (moment,) = self.told(capsys, "moments", album, "a.jpg", "--image")["moments"]
        assert set(moment) == {"path", "start_s", "end_s", "peak_s", "match", "score"}
        assert moment["start_s"] == 0 and moment["start_s"] <= moment["peak_s"] <= moment["end_s"]

    def test_moments_become_clips_and_nothing_is_overwritten(self, album, capsys, tmp_path):
        kept = tmp_path / "clips" / "v 0.0-3.0 s.mp4"
        kept.parent.mkdir()
        kept.write_bytes(b"mine")
        (clip,) = self.told(capsys, "clips", album, "a dog", "--to", kept.parent)["clips"]
        assert clip["file"] == str(kept.with_stem("v 0.0-3.0 s (2)")) and kept.read_bytes() == b"mine"
        with open_video(clip["file"]) as video:
            assert video.facts.duration_s == pytest.approx(3, abs=0.1)
        assert main(["clips", str(album[0]), "a dog", "--to", str(album[0] / "x"), *album[1]]) == 1
        assert "lies in the library" in capsys.readouterr().err

    def test_tags_count_and_name_photos(self, album, capsys):
        found = self.told(capsys, "tags", album, "sea", "snow", "sea", "-k", 2)["tags"]
        assert list(found) == ["sea", "snow"] and found["sea"]["count"] == 5 and len(found["sea"]["hits"]) == 2

    @pytest.mark.parametrize(
        ("command", "query", "columns"),
        [
            ("search", ["a dog"], "path,score,time_s"),
            ("moments", ["a dog"], "path,start_s,end_s"),
            ("tags", ["a dog", "snow"], "tag,path,score"),
        ],
    )
    def test_a_table_that_excel_opens_and_a_page(self, album, capsys, tmp_path, command, query, columns):
        files = ["--csv", tmp_path / "found.csv", "--html", tmp_path / "found.html"]
        self.told(capsys, command, album, *query, *files)
        assert (tmp_path / "found.csv").read_bytes().startswith(b"\xef\xbb\xbf" + columns.encode())
        assert "<!doctype html>" in (tmp_path / "found.html").read_text("utf-8")

    def test_a_page_with_queries_of_ones_own(self, album, capsys, tmp_path):
        options = album[1][:3]  # a page takes no threshold
        file = tmp_path / "album.html"
        assert main(["page", str(album[0]), str(file), "--query", "a dog", "--query", "my cat", *options]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told == {"file": str(file), "size_bytes": file.stat().st_size}
        assert '"a dog","my cat"' in file.read_text("utf-8")

    def test_a_table_that_cannot_be_written_is_a_sentence(self, album, capsys, tmp_path):
        (tmp_path / "taken.csv").mkdir()
        for name, why in (("taken.csv", "Is a directory"), ("a.txt", "must end in .csv"), ("no/a.csv", "no folder")):
            assert main(["search", str(album[0]), "a dog", *album[1], "--csv", str(tmp_path / name)]) == 1
            out, err = capsys.readouterr()
            assert out == "" and why in err and "Traceback" not in err

    def test_places_south_and_west_are_numbers_and_no_options(self, album, capsys):
        assert self.told(capsys, "search", album, "a dog", "--near", "-33.9,-70.6", "--km", 3)["hits"] == []
        with pytest.raises(SystemExit):
            main(["search", str(album[0]), "a dog", "--near", "Lisbon"])
        assert "give latitude and longitude, such as 48.85,2.35" in capsys.readouterr().err

    def test_version(self, capsys):
        with pytest.raises(SystemExit) as left:
            main(["--version"])
        assert left.value.code == 0 and capsys.readouterr().out == f"cliplib {cliplib.__version__}\n"


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
