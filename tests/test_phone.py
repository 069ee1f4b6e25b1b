"""A share of `make phone`: the figures that do not depend on the machine's speed."""

from tests.harness.phone import class_of_thirty, leaks, staging, takeout, without_originals


def test_a_drawn_takeout_as_folder_and_as_zips(tmp_path):
    figures = takeout(tmp_path, share=0.25)
    assert figures["sidecars_matched"] == figures["dates_right"] == figures["places_right"] == 1
    for name in ("sidecars_skipped", "motion_clips_among_videos", "items_missing", "screenshots_wrong"):
        assert (name, figures[name]) == (name, 0)
    assert figures["distinct_hits"] == 5 and figures["zip_rows_different"] == 0


def test_unpacked_members_are_let_go_one_by_one(tmp_path):
    figures = staging(tmp_path, share=0.3)
    assert figures["staging_skipped"] == figures["staging_left_open"] == 0
    assert figures["peak_staging_mb"] < figures["staging_archives_mb"]


def test_a_page_of_tiles_opens_no_original(tmp_path):
    figures = without_originals(tmp_path, share=0.25)
    assert figures["tiles"] == 20 and figures["tiles_without_originals_s"] < 2


def test_two_pupils_open_one_pack(tmp_path):
    figures = class_of_thirty(tmp_path, share=0.05)
    assert figures["pack_at_once"] == figures["pack_processes"] == 2
    assert figures["pack_tiles"] == 5 and figures["pack_files_beside"] == 0


def test_nothing_private_leaves_the_house(tmp_path):
    assert leaks(tmp_path, share=0.2)["leaks_found"] == []
