"""Match and cutoffs: tables worked by hand, what holds for any rows, and recordings of the real CLIP where they are."""

import numpy as np
import pytest

from cliplib.errors import QueryError
from cliplib.search import background
from cliplib.search.background import cutoff, level_without, match, row_statistics, soft_maximum

E = np.eye(4, dtype=np.float32)


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def two_cones(seed=0, texts=200, pictures=150, dim=64):
    """Texts and pictures in two cones, as CLIP has them: float32 (texts, dim) and (pictures, dim), unit rows."""
    random = np.random.default_rng(seed)
    return (
        unit(2 * E[side].repeat(dim // 4) + random.normal(size=(n, dim))) for side, n in ((0, texts), (1, pictures))
    )


class TestMatch:
    def test_one_text_in_the_bank_is_taken_off_whole(self):
        gallery, query, bank = E[:2], unit([[3, 4, 0, 0]]), unit([[4, 0, 3, 0]])
        # cosines 0.6 and 0.8; the bank's 0.8 and 0
        np.testing.assert_allclose(match(query, gallery, bank, "text"), [[-0.2, 0.8]], atol=1e-6)

    def test_soft_maximum_by_hand(self):
        # (e^0 + e^-50) / 2 is a half: log(1/2) / 50 below the higher one
        assert soft_maximum(np.array([[0.3, -0.7]])) == pytest.approx(0.3 - np.log(2) / 50)
        assert soft_maximum(np.array([[0.2, 0.2, 0.2]])) == pytest.approx(0.2)

    def test_a_hub_no_longer_wins(self):
        """A picture near every text comes after the one that is near the query alone."""
        hub, own = unit([5, 5, 5, 0]), unit([3, 0, 0, 4])
        query, bank = E[:1], E[1:3]
        assert np.argmax(query @ np.stack([own, hub]).T) == 0
        hub = unit([9, 9, 9, 0])  # cosine 0.577 with the query
        own = unit([5, 0, 0, 8])  # 0.530
        assert np.argmax(query @ np.stack([own, hub]).T) == 1
        assert np.argmax(match(query, np.stack([own, hub]), bank, "text")) == 0

    def test_a_row_does_not_depend_on_the_other_rows(self):
        bank, gallery = two_cones()
        whole = match(bank[:3], gallery, bank[10:], "text")
        np.testing.assert_allclose(match(bank[:3], gallery[5:6], bank[10:], "text"), whole[:, 5:6], atol=1e-6)

    def test_blocks_of_rows_change_nothing(self, monkeypatch):
        bank, gallery = two_cones()
        whole = row_statistics(gallery, bank)
        monkeypatch.setattr(background, "BLOCK", 7)
        for name, values in row_statistics(gallery, bank)._asdict().items():
            np.testing.assert_allclose(values, getattr(whole, name), atol=1e-6, err_msg=name)


class TestOwnTextInTheBank:
    def test_a_query_is_not_its_own_background(self):
        bank, gallery = two_cones()
        query = bank[:1]
        without = match(query, gallery, bank[1:], "text")
        for copies in (1, 3):
            np.testing.assert_allclose(
                match(query, gallery, np.vstack([bank, *[query] * (copies - 1)]), "text"), without, atol=2e-5
            )

    def test_nor_is_what_says_the_same(self):
        bank, gallery = two_cones()
        query = bank[:1]
        near = unit(query + 0.2 * unit(bank[5:6] - (bank[5:6] @ query.T) * query))  # cosine 0.98
        assert 0.95 < (near @ query.T).item() < 0.999
        np.testing.assert_allclose(
            match(query, gallery, np.vstack([bank[1:], near]), "text"),
            match(query, gallery, bank[1:], "text"),
            atol=2e-5,
        )

    def test_a_bank_of_nothing_else_is_no_bank(self):
        _, gallery = two_cones()
        query = gallery[:1]
        np.testing.assert_allclose(match(query, gallery, query, "text"), query @ gallery.T, atol=1e-6)
        assert cutoff(query, gallery, query, "text") == pytest.approx(0.25)

    def test_level_without_by_hand(self):
        cosines = np.array([[0.1, 0.2, 0.25]])
        level = soft_maximum(cosines)
        assert level_without(level, cosines[:, 1:2], 3) == pytest.approx(soft_maximum(cosines[:, [0, 2]]))


class TestCutoff:
    statistics = background.RowStatistics(np.zeros(3), np.array([0.01, -0.01, 0.006], np.float32), np.ones(3))
    floor = 0.024 + 0.002

    @pytest.mark.parametrize(
        ("matches", "want"),
        [
            ([0.01, 0.02, -0.3], floor),  # nothing fits: the floor
            ([0.10, 0.02, -0.3], 0.055),  # 0.045 under the best
            ([0.07, 0.02, -0.3], 0.028),  # four tenths of the best
            ([np.nan, 0.10, np.nan], 0.055),
            ([np.nan] * 3, floor),
        ],
    )
    def test_text(self, matches, want):
        assert background.text_cutoff(np.array(matches), background.usual_match(self.statistics)) == pytest.approx(
            want, abs=1e-6
        )

    @pytest.mark.parametrize(
        ("matches", "want"),
        [
            ([0.5, 0.3], 0.55),
            ([0.98, 0.3], 0.98 - 0.7 * 0.2),  # the chord of cosine 0.98 is 0.2 long
            ([1.0, 0.5], 0.55),  # its own row says nothing
            ([], 0.55),
        ],
    )
    def test_picture(self, matches, want):
        assert background.image_cutoff(np.array(matches)) == pytest.approx(want, abs=1e-6)

    def test_no_bank_means_the_papers(self):
        bank, gallery = two_cones()
        assert cutoff(bank[:2], gallery, bank[:0]) == pytest.approx(0.25)
        assert cutoff(gallery[:2], gallery, bank[:0]) == pytest.approx(0.70)
        np.testing.assert_allclose(match(bank[:2], gallery, bank[:0]), bank[:2] @ gallery.T, atol=1e-6)


class TestPictures:
    def test_told_from_texts_by_their_cone(self):
        bank, gallery = two_cones()
        for queries, asked in ((bank[:5], "text"), (gallery[:5], "image")):
            np.testing.assert_array_equal(match(queries, gallery, bank), match(queries, gallery, bank, asked))
            np.testing.assert_array_equal(cutoff(queries, gallery, bank), cutoff(queries, gallery, bank, asked))

    def test_what_texts_cannot_tell_does_not_count(self):
        random = np.random.default_rng(0)
        meaning = random.normal(size=(100, 8))
        bank = unit(np.hstack([meaning, np.zeros((100, 8))]))
        picture = np.hstack([meaning[:3], 5 * random.normal(size=(3, 8))])
        query = np.hstack([meaning[1:2], 5 * random.normal(size=(1, 8))])
        found = match(unit(query), unit(picture), bank, "image")
        inside = meaning[:3] / np.linalg.norm(meaning[:3], axis=1, keepdims=True)
        np.testing.assert_allclose(found[0], inside @ inside[1], atol=1e-4)

    def test_a_gallery_can_be_its_own_background(self):
        _, gallery = two_cones()
        centred = unit(gallery - gallery.mean(axis=0))
        np.testing.assert_allclose(match(gallery[:4], gallery, gallery), centred[:4] @ centred.T, atol=1e-5)


class TestEdges:
    def test_shapes_and_types(self):
        bank, gallery = (rows.astype(np.float64) * 3 for rows in two_cones())  # other lengths, other type
        found = match(bank[:2], gallery, bank)
        assert (found.shape, found.dtype) == ((2, 150), np.float32)
        assert (cutoff(bank[:2], gallery, bank).shape, cutoff(bank[:2], gallery, bank).dtype) == ((2,), np.float32)
        np.testing.assert_allclose(found, match(*(unit(rows) for rows in (bank[:2], gallery, bank))), atol=1e-5)

    @pytest.mark.parametrize("queries, gallery, bank", [(0, 3, 3), (2, 0, 3), (2, 3, 0), (0, 0, 0), (1, 1, 1)])
    def test_nothing_and_one(self, queries, gallery, bank):
        texts, pictures = two_cones()
        tables = texts[-queries:][:queries], pictures[:gallery], texts[:bank]
        assert match(*tables).shape == (queries, gallery)
        assert np.isfinite(match(*tables)).all() and np.isfinite(cutoff(*tables)).all()
        assert cutoff(*tables).shape == (queries,)

    def test_what_has_no_direction_matches_nothing_and_spoils_nothing(self):
        bank, gallery = two_cones()
        queries, spoiled = bank[:3].copy(), np.vstack([gallery, gallery[:2]])
        queries[1], spoiled[-2:] = np.nan, [[0] * 64, [np.inf] * 64]
        found, cut = match(queries, spoiled, np.vstack([bank, 0 * bank[:1]])), cutoff(queries, spoiled, bank)
        np.testing.assert_allclose(found[[0, 2], :-2], match(bank[[0, 2]], gallery, bank), atol=1e-6)
        assert np.isnan(found[1]).all() and np.isnan(found[:, -2:]).all()
        np.testing.assert_allclose(cut[[0, 2]], cutoff(bank[[0, 2]], gallery, bank), atol=1e-6)
        assert np.isnan(cut[1])

    def test_refuses_other_widths_shapes_and_words(self):
        bank, gallery = two_cones()
        with pytest.raises(QueryError, match=r"\[32, 64\] wide"):
            match(bank[:, :32], gallery, bank)
        with pytest.raises(QueryError, match=r"queries has the shape \(64,\)"):
            match(bank[0], gallery, bank)
        with pytest.raises(QueryError, match="query_kind is 'sound'"):
            match(bank, gallery, bank, "sound")


@pytest.fixture(scope="module")
def recorded():
    from data.match import realclip

    if not realclip.RECORDINGS.is_dir():
        pytest.skip("no recordings of the real CLIP here")
    return realclip.read(realclip.RECORDINGS)


class TestOnRecordings:
    """What the real CLIP answered; the whole is `make realclip`."""

    def test_figures(self, recorded, monkeypatch):
        from data.match import realclip

        monkeypatch.setattr(realclip, "DRAWS", 3)
        figures = realclip.measure(recorded)
        for name, (asked, _) in realclip.REQUIRED.items():
            asked = figures["plain_image_f1"] + 0.03 if asked is None else asked
            assert figures[name] <= asked if name in realclip.AT_MOST else figures[name] >= asked, name

    @pytest.mark.parametrize(("noun", "label"), [("dog", "dogs"), ("cat", "cats"), ("bicycle", "bike")])
    def test_rare_common_and_absent(self, recorded, noun, label):
        """Five among a thousand are found; a library of nothing else is shown; one without any stays empty."""
        rows, labels = recorded["gallery.rows"], recorded["gallery.label"]
        query = recorded["nouns.rows"][list(recorded["nouns.name"]).index(noun)][None]

        def shown(where):
            return (
                match(query, rows[where], recorded["bank.rows"]) >= cutoff(query, rows[where], recorded["bank.rows"])
            )[0]

        own, others = np.flatnonzero(labels == label), np.flatnonzero((labels != label) & (labels != ""))
        assert shown(own).mean() > 0.9
        assert shown(others).mean() < 0.03
        assert shown(np.concatenate([own[:5], others]))[:5].sum() >= 4

    def test_queries_in_the_bank_do_as_well_as_without(self, recorded):
        """Names of the bank include "dog", "cat", "car": leaving them out of it changes nothing."""
        bank, rows = recorded["bank.rows"], recorded["gallery.rows"]
        queries = recorded["nouns.rows"][[list(recorded["nouns.name"]).index(noun) for noun in ("dog", "cat", "car")]]
        for query in queries:
            same = background.same_meaning(query[None], bank)[0]
            assert same.any()
            np.testing.assert_allclose(match(query[None], rows, bank), match(query[None], rows, bank[~same]), atol=1e-4)


def test_a_query_of_the_bank_is_not_its_own_background():
    """Whether it is there once, twice or beside others that say the same."""
    random = np.random.default_rng(5)
    rows, bank = (unit(random.standard_normal((n, 16)).astype(np.float32)) for n in (50, 80))
    query, alike = bank[0], unit(bank[:1] + 0.05 * bank[1:2])
    without = match(query[None], rows, bank[1:], query_kind="text")
    for more in (bank[:0], bank[:1], alike, np.concatenate([bank[:1], alike])):
        found = match(query[None], rows, np.concatenate([bank, more]), query_kind="text")
        np.testing.assert_allclose(found, without, atol=1e-4)


def test_no_recordings_is_no_fault(tmp_path, capsys):
    from data.match import realclip

    realclip.main(tmp_path / "none")
    assert "nothing is wrong" in capsys.readouterr().out
