"""Old names work for one version, say the new one, and point at the line that uses them."""

import sys
from types import ModuleType

import pytest

from cliplib.deprecation import renamed_attribute, renamed_keywords, renamed_names


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
