"""The check: what it finds in a sound cache, a damaged one, and a folder that has changed."""

import json
import os

import pytest

import cliplib
from cliplib.__main__ import main
from cliplib.errors import LibraryError, MediaError
from cliplib.index import check, plan
from cliplib.media.files import find_media
from tests.harness.libraries import draw_picture


@pytest.fixture
def library(tmp_path, weights):
    for i in range(4):
        draw_picture(tmp_path / "photos" / f"p{i}.jpg", i)
    library = cliplib.Library(tmp_path / "photos", model=weights)
    library.index(progress=False)
    return library


def test_a_fresh_index_is_sound(library):
    (finding,) = library.check(by_content=True)
    assert finding.sound and finding.rows == 4 and finding.advice == "nothing to do"
    assert (finding.missing, finding.changed, finding.new) == ([], [], [])


@pytest.mark.parametrize("kind", ["part", "thumbs", "manifest"])
def test_fault_11_a_flipped_bit_in_any_file_is_found(library, kind):
    """One flipped bit in the cache: found."""
    (file,) = library.store.folder.glob(f"{kind}-*")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    (finding,) = library.check()
    assert not finding.sound and file.name in finding.damage[0]


def test_a_missing_thumbnail_pack_is_found(library):
    next(library.store.folder.glob("thumbs-*")).unlink()
    library.index(progress=False)
    (finding,) = library.check()
    assert "is not there" in finding.damage[0] and f"delete {library.store.folder} first" in finding.advice


def test_changes_of_the_folder_are_told_by_path(library):
    (library.root / "p0.jpg").unlink()
    draw_picture(library.root / "p1.jpg", 50)
    draw_picture(library.root / "p9.jpg", 51)
    (finding,) = library.check()
    assert (finding.missing, finding.changed, finding.new) == (["p0.jpg"], ["p1.jpg"], ["p9.jpg"])
    assert finding.sound and "run index()" in finding.advice


def test_content_finds_what_size_and_time_do_not(library):
    file = library.root / "p1.jpg"
    data, times = bytearray(file.read_bytes()), file.stat()
    data[-10] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert library.check()[0].changed == []
    assert library.check(by_content=True)[0].changed == ["p1.jpg"]


def test_known_failures_are_not_new_until_they_change(library):
    (library.root / "bad.jpg").write_bytes(b"")
    library.index(progress=False)
    (finding,) = library.check()
    assert (finding.new, finding.failed, finding.advice) == ([], ["bad.jpg"], "nothing to do")
    draw_picture(library.root / "bad.jpg", 9)
    assert library.check()[0].new == ["bad.jpg"]


def test_kinds_that_are_not_read_are_counted_and_named(library):
    for name in ("a.psd", "b.PSD", "c.tgz", "words.txt", "nameless"):
        (library.root / name).write_bytes(b"words")
    told = "5 files of kinds that are not read: 2 .psd, 1 .tgz, 1 without a suffix, 1 .txt"
    report = library.index(progress=False)
    assert told in str(report) and told in report._repr_html_()
    assert report.found.not_read == {".psd": 2, ".tgz": 1, "": 1, ".txt": 1}
    (finding,) = library.check()
    assert told in str(finding) and finding.advice == "nothing to do"


def test_a_failure_of_other_versions_is_worth_another_run(library, monkeypatch):
    (library.root / "bad.jpg").write_bytes(b"")
    library.index(progress=False)
    monkeypatch.setattr(plan, "decoders", lambda: "Pillow 99")
    (finding,) = library.check()
    assert (finding.new, finding.failed, finding.again) == ([], ["bad.jpg"], ["bad.jpg"])
    assert "tries again what failed" in finding.advice


def test_what_index_would_keep_is_not_missing(library, monkeypatch):
    found = find_media(library.root)
    blind = found._replace(files=found.files[1:], problems=[MediaError("p0.jpg", "walk", "Input/output error")])
    monkeypatch.setattr(check, "find_media", lambda *_: blind)
    (finding,) = library.check()
    assert (finding.missing, finding.advice) == ([], "nothing to do")


def test_a_folder_without_an_index_says_what_to_run(tmp_path, weights):
    with pytest.raises(LibraryError, match="run index"):
        cliplib.Library(tmp_path, model=weights).check()


def test_the_command_line_exits_1_on_damage(library, capsys):
    assert main(["check", str(library.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sound"] is True
    next(library.store.folder.glob("part-*")).unlink()
    assert main(["check", str(library.root)]) == 1
    assert "DAMAGED" in capsys.readouterr().out
