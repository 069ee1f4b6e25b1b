"""Queries: sums and differences as objects, how they read, nonsense; which stored photo a query image stands for."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import cliplib
from cliplib.errors import QueryError
from cliplib.search.query import Query, nonsense, stored_path

PATHS = pa.array(["a.jpg", "one/IMG_1.jpg", "two/IMG_1.jpg", "two/c.webp", "two/~d.jpg"])
DOG, POOL, PERSON = cliplib.text("a dog"), cliplib.image("pool.jpg"), cliplib.text("a person")


class TestComposing:
    def test_operators_make_weighted_terms(self):
        query = 2 * DOG + POOL * 0.5 - PERSON
        assert [(term.kind, term.value, term.factor) for term in query.terms] == [
            ("text", "a dog", 2.0),
            ("image", "pool.jpg", 0.5),
            ("text", "a person", -1.0),
        ]

    def test_minus_before_a_sum_turns_every_weight(self):
        assert [term.factor for term in (-(2 * DOG - PERSON)).terms] == [-2.0, 1.0]
        assert [term.factor for term in (DOG - 3 * (POOL - PERSON)).terms] == [1.0, -3.0, 3.0]

    def test_queries_are_frozen_values(self):
        query = DOG + POOL
        assert query == cliplib.text("a dog") + cliplib.image("pool.jpg")
        assert len(DOG.terms) == 1
        with pytest.raises(AttributeError):
            query.terms = ()

    def test_a_list_is_summed_from_an_empty_query(self):
        assert sum([DOG, PERSON], Query()) == DOG + PERSON

    @pytest.mark.parametrize("two", [2, 2.0, np.float64(2), np.float32(2), np.int64(2)])
    def test_any_real_number_is_a_factor_on_either_side(self, two):
        assert two * DOG == DOG * two == Query((DOG.terms[0].__class__("text", "a dog", 2.0),))

    @pytest.mark.parametrize("factor", [float("nan"), float("inf"), True, "2", None])
    def test_refuses_other_factors(self, factor):
        with pytest.raises(QueryError, match="a factor is a finite number"):
            DOG * factor

    @pytest.mark.parametrize(
        "mixed",
        [lambda: DOG + "cat", lambda: DOG - "cat", lambda: "cat" + DOG, lambda: "cat" - DOG, lambda: DOG + 1],
    )
    def test_a_bare_string_or_number_is_refused_with_what_to_do(self, mixed):
        with pytest.raises(QueryError, match=r"wrap it in cliplib.text\(\) or cliplib.image\(\)"):
            mixed()

    @pytest.mark.parametrize(("query", "kind"), [(DOG - PERSON, "text"), (2 * POOL, "image"), (DOG + POOL, "mixed")])
    def test_kind(self, query, kind):
        assert query.kind == kind

    @pytest.mark.parametrize(
        ("query", "plain"),
        [(2 * DOG, (2 * DOG).terms[0]), (POOL, POOL.terms[0]), (-DOG, None), (DOG + POOL, None), (Query(), None)],
    )
    def test_plain_is_the_one_term_that_leads_towards_it(self, query, plain):
        assert query.plain == plain

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            (2 * DOG + POOL - PERSON, "2 × a dog + pool.jpg − a person"),
            (-DOG, "−a dog"),
            (-0.5 * DOG + PERSON, "−0.5 × a dog + a person"),
            (cliplib.text("sugar-free - really") + cliplib.image(Path("a/b.jpg")), "sugar-free - really + a/b.jpg"),
            (cliplib.image(Image.new("RGB", (2, 2))), "an image"),
            (Query(), "nothing"),
        ],
    )
    def test_reads_well(self, query, words):
        assert str(query) == words

    def test_text_and_image_refuse_what_they_are_not(self):
        with pytest.raises(QueryError, match="text takes a string, got int: 5"):
            cliplib.text(5)
        with pytest.raises(QueryError, match="a picture is a path, the bytes of a file or a PIL image; got list"):
            cliplib.image(["a.jpg"])


class TestNonsense:
    def test_is_the_same_for_the_same_seed(self):
        assert nonsense(20, seed=3) == nonsense(20, seed=3) != nonsense(20, seed=4)
        assert nonsense(40, seed=3)[:20] == nonsense(20, seed=3)

    def test_all_differ_and_none_is_long(self):
        texts = nonsense(500)
        assert len(set(texts)) == 500 and max(len(text.split()) for text in texts) <= 8

    def test_no_word_is_one_that_a_caption_has(self):
        from data.world.captions import known_words

        words = {word for text in nonsense(500) for word in text.split()}
        assert words & known_words() == {"a", "photo", "of"}


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        ("a.jpg", "a.jpg"),
        ("two/c.webp", "two/c.webp"),
        ("c.webp", "two/c.webp"),
        ("~d.jpg", "two/~d.jpg"),  # no user of that name
        ("IMG_1", None),
        ("one/c.webp", None),
        ("nowhere.jpg", None),
        ("\udcff.jpg", None),  # a name that is not UTF-8, as Python shows it
        ("a\0.jpg", None),
    ],
)
def test_by_path_or_by_file_name(tmp_path, asked, want):
    assert stored_path(asked, tmp_path, PATHS) == want


def test_by_a_path_of_the_file_system(tmp_path, monkeypatch):
    assert stored_path(tmp_path / "two" / "c.webp", tmp_path, PATHS) == "two/c.webp"
    assert stored_path(tmp_path / "x" / ".." / "a.jpg", tmp_path, PATHS) == "a.jpg"
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path / "two")
    assert stored_path("./c.webp", tmp_path, PATHS) == "two/c.webp"


def test_outside_the_library_is_none(tmp_path):
    assert stored_path(tmp_path.parent / "other" / "a.jpg", tmp_path, PATHS) is None


def test_a_name_of_several_files_asks_which(tmp_path):
    with pytest.raises(QueryError, match="2 files; say which: one/IMG_1.jpg, two/IMG_1.jpg"):
        stored_path("IMG_1.jpg", tmp_path, PATHS)
