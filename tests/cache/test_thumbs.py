"""Thumbnails: found by content and time, over several files and row groups; a damaged file gives none."""

from cliplib.cache.thumbs import GROUP_ROWS, Thumbs, write_thumbs

MANY = 2 * GROUP_ROWS + 5


def save(file, thumbs):
    with open(file, "wb") as opened:
        write_thumbs(opened, thumbs)
    return file


def test_each_is_found_by_its_digest_and_time(tmp_path):
    one = save(tmp_path / "one", [((f"d{n}", None), b"photo %d" % n) for n in range(MANY)])
    two = save(tmp_path / "two", [(("d0", 1.5), b"frame")])
    thumbs = Thumbs([one, two])
    assert [thumbs.get((f"d{n}", None)) for n in range(MANY)] == [b"photo %d" % n for n in range(MANY)]
    assert (thumbs.get(("d0", 1.5)), thumbs.get(("d0", 2.5)), thumbs.get(("e", None))) == (b"frame", None, None)


def test_of_those_wanted_no_other_is_kept(tmp_path):
    file = save(tmp_path / "one", [((name, None), name.encode()) for name in "abc"])
    thumbs = Thumbs([file], {("b", None)})
    assert dict(thumbs.among([(name, None) for name in "abc"])) == {("b", None): b"b"}


def test_a_file_that_cannot_be_read_is_said_and_the_others_answer(tmp_path):
    (tmp_path / "bad").write_bytes(b"no Parquet")
    thumbs = Thumbs([tmp_path / "bad", save(tmp_path / "good", [(("a", None), b"a")])])
    assert thumbs.get(("a", None)) == b"a" and len(thumbs.problems) == 1 and "bad" in thumbs.problems[0]


def test_one_that_is_damaged_later_gives_none(tmp_path):
    file = save(tmp_path / "one", [(("a", None), b"JPEG" * 100)])
    thumbs = Thumbs([file])
    file.write_bytes(file.read_bytes().replace(b"JPEGJPEG", b"JPEGKPEG"))
    assert thumbs.get(("a", None)) is None
