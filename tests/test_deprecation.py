"""Old names work for one version, say the new one, and point at the line that uses them."""

import sys
from types import ModuleType

import numpy as np
import pytest

import cliplib
from cliplib.cache.rows import table
from cliplib.deprecation import renamed_attribute, renamed_keywords, renamed_names
from cliplib.search import background
from cliplib.search.results import Cutoff


class Found:
    duplicates = ("b.jpg",)
    alike = renamed_attribute("Found.alike", "duplicates")
    only = renamed_attribute("Found.only", "filter")

    def filter(self, folder):
        return folder

    @renamed_keywords(fold="near_duplicates")
    def top(self, k=5, near_duplicates=None):
        """The best."""
        return k, near_duplicates


def test_an_old_attribute_or_method_gives_the_new_one():
    with pytest.warns(DeprecationWarning, match=r"Found\.alike is called duplicates now") as told:
        assert Found().alike == ("b.jpg",)
    assert told[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="filter"):
        assert Found().only("trips") == "trips"


def test_an_old_keyword_is_taken_for_the_new_one():
    with pytest.warns(DeprecationWarning, match=r"fold= of Found\.top\(\) is called near_duplicates= now") as told:
        assert Found().top(3, fold=0.97) == (3, 0.97)
    assert told[0].filename == __file__ and Found.top.__doc__ == "The best."
    with pytest.raises(TypeError, match="fold= and near_duplicates=, which are the old and the new name"):
        Found().top(fold=0.97, near_duplicates=0.9)


def test_an_old_name_of_a_module_leads_to_the_new_one_here_or_elsewhere(monkeypatch):
    module = ModuleType("moved")
    module.new, module.__getattr__ = 1, renamed_names("moved", old="new", away="os.path.join")
    monkeypatch.setitem(sys.modules, "moved", module)
    with pytest.warns(DeprecationWarning, match=r"moved\.old is called new now") as told:
        assert module.old == 1
    assert told[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=r"os\.path\.join"):
        assert module.away("a", "b") == "a/b"
    with pytest.raises(AttributeError, match="'moved' has no attribute 'never'"):
        _ = module.never


class TestOldNamesOfSearch:
    def test_hits_and_terms(self):
        hit = cliplib.Hit("a.jpg", 0.3, duplicates=("b.jpg",))
        hits = cliplib.Hits("a dog", cliplib.Mode.TEXT_TO_IMAGE, 0.25, ())
        moments = cliplib.Moments("a dog", cliplib.Mode.TEXT_TO_VIDEO, 0.25, ())
        with pytest.warns(DeprecationWarning, match="duplicates"):
            assert hit.alike == ("b.jpg",)
        with pytest.warns(DeprecationWarning, match="empty_message"):
            assert hits.nothing() == hits.empty_message()
        with pytest.warns(DeprecationWarning, match="empty_message"):
            assert moments.nothing() == moments.empty_message()
        with pytest.warns(DeprecationWarning, match="factor"):
            assert (2 * cliplib.text("a dog")).terms[0].weight == 2

    def test_scores(self):
        facts = {"kind": "image", "size": 1, "mtime_ns": 1, "taken_at": None}
        photos = [facts | {"path": name, "digest": name} for name in ("a.jpg", "b.jpg")]
        rows = table(photos, np.eye(2, dtype=np.float32))
        scores = cliplib.Scores("a dog", cliplib.Mode.TEXT_TO_IMAGE, np.float32([0.3, 0.4]), rows, Cutoff(0.25))
        with pytest.warns(DeprecationWarning, match="near_duplicates="):
            assert scores.top(fold=0.97) == scores.top(near_duplicates=0.97)
        with pytest.warns(DeprecationWarning, match="filter"):
            assert np.isnan(scores.only(since="2999-01-01").values).all()

    def test_background(self):
        queries, gallery, bank = (np.random.default_rng(seed).normal(size=(9, 8)) for seed in range(3))
        for function in (background.match, background.cutoff):
            with pytest.warns(DeprecationWarning, match="query_kind="):
                assert (
                    function(queries, gallery, bank, asked="text") == function(queries, gallery, bank, "text")
                ).all()
