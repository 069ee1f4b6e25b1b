"""Models side by side: recall and agreement worked out by hand on libraries whose answers are known."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from cliplib import Library, QueryError
from cliplib.lessons.compare import agreement, side_by_side
from tests.harness.libraries import draw_picture, save_random_clip


class Answers:
    """A library that answers each text with a fixed list of paths."""

    def __init__(self, answers, folder):
        self.answers, self.store = answers, SimpleNamespace(folder=folder)
        self.encoder = SimpleNamespace(model_id="0123456789abcdef", parameters=7, dim=3)

    def score(self, text):
        def top(k, threshold, distinct):
            assert threshold == -1  # the models' thresholds differ: only rankings are compared
            return [SimpleNamespace(path=path) for path in self.answers[text][:k]]

        return SimpleNamespace(top=top)


@pytest.fixture
def libraries(tmp_path):
    (tmp_path / "part").write_bytes(b"12345")
    one = Answers({"dog": ["a", "b", "c", "d"], "sea": ["e", "f", "a", "b"]}, tmp_path)
    other = Answers({"dog": ["b", "c", "x", "y"], "sea": ["a", "b", "e", "f"]}, tmp_path)
    return {"one": one, "other": other}


def test_recall_counts_against_what_k_places_can_hold(libraries):
    table = side_by_side(libraries, {"dog": ["a", "b", "c"], "sea": ["e"]}, k=2).set_index("model")
    assert table.loc["one", "recall_at_2"] == (2 / 2 + 1 / 1) / 2
    assert table.loc["other", "recall_at_2"] == (2 / 2 + 0) / 2
    assert (table.loc["one", "first"], table.loc["other", "first"]) == (1, 0.5)
    assert (table["parameters"] == 7).all() and (table["cache_bytes"] == 5).all()


def test_a_query_without_a_right_photo_counts_for_nothing(libraries):
    table = side_by_side(libraries, {"dog": ["a"], "sea": []}, k=1)
    assert list(table["recall_at_1"]) == [1, 0]


def test_a_library_without_photos_finds_nothing(tmp_path):
    table = side_by_side({"empty": Answers({"dog": []}, tmp_path)}, {"dog": ["a"]})
    assert (table["recall_at_5"].tolist(), table["first"].tolist()) == ([0], [0])


def test_nothing_to_compare_by_is_an_error(libraries):
    with pytest.raises(QueryError, match="no query to compare by"):
        side_by_side(libraries, {})


def test_agreement_is_the_share_of_common_places(libraries):
    table = agreement(libraries, ["dog", "sea"], k=2)
    assert table.loc["one", "one"] == 1
    assert table.loc["one", "other"] == (1 / 2 + 0 / 2) / 2  # {a, b} and {b, c}; {e, f} and {a, b}
    assert (table == table.T).all().all()


def test_two_models_share_one_folder(tmp_path):
    for name in ("0", "1", "2", "3", "album/3", "5", "6", "7"):  # one photo lies in an album, too
        draw_picture(tmp_path / f"{name}.png", int(name[-1]))
    models = {name: save_random_clip(tmp_path / f"{name}.safetensors", seed) for seed, name in enumerate("ab")}
    libraries = {name: Library(tmp_path, model=file) for name, file in models.items()}
    for library in libraries.values():
        library.index(progress=False)
    table = side_by_side(libraries, {"a dog": ["3.png"], "a cat": ["album/3.png"]}, k=8)
    assert table["model_id"].nunique() == 2 and len(list(Path(tmp_path, ".cliplib").iterdir())) == 2
    assert table["recall_at_8"].tolist() == [1, 1]  # a copy is as right as the photo
    assert agreement(libraries, ["a dog", "the sea"], k=8).min().min() == 1  # eight of eight photos are always the same
