"""Profiles: saved whole, found again, and never used for another model."""

import json
from dataclasses import replace

import pytest

from cliplib.calibrate.profiles import Profile, Profiles
from cliplib.errors import CacheError

MODEL = {"model_id": "a" * 64, "name": "ViT-B/32", "preprocessing": "224 bicubic"}
OTHER = {"model_id": "b" * 64, "name": "RN50", "preprocessing": "224 bicubic"}
PROFILE = Profile("text->image", "best F1", 0.31, MODEL, "van Rijsbergen 1979", 20, 400, curve=((0.2, 0.4), (0.1, 0.9)))


@pytest.fixture
def profiles(tmp_path):
    return Profiles(tmp_path / "model", MODEL)


def test_a_profile_survives_a_restart(profiles):
    assert profiles.get("text->image") is None
    profiles.save(PROFILE)
    assert Profiles(profiles.folder, MODEL).get("text->image") == PROFILE
    assert profiles.get("image->image") is None


def test_removing_goes_back_to_none(profiles):
    profiles.save(PROFILE)
    profiles.remove("text->image")
    profiles.remove("text->image")
    assert profiles.get("text->image") is None


def test_another_models_profile_is_refused_with_both_named(profiles):
    with pytest.raises(CacheError, match=r"of the model 'ViT-B/32' \(aaaa.*but this library's is 'RN50' \(bbbb"):
        Profiles(profiles.folder, OTHER).save(PROFILE)
    profiles.save(PROFILE)
    with pytest.raises(CacheError, match=r"'ViT-B/32'.*'RN50'.*Calibrate again"):
        Profiles(profiles.folder, OTHER).get("text->image")


def test_another_preprocessing_is_refused(profiles):
    profiles.save(PROFILE)
    with pytest.raises(CacheError, match=r"prepares pictures as 'ViT-B/32' \(224 bicubic\).*\(96 bicubic\)"):
        Profiles(profiles.folder, {**MODEL, "preprocessing": "96 bicubic"}).get("text->image")


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: "{",
        lambda body: json.dumps([]),
        lambda body: json.dumps({**body, "threshold": 7}),
        lambda body: json.dumps({**body, "threshold": "high"}),
        lambda body: json.dumps({**body, "mode": "image->image"}),
        lambda body: json.dumps({**body, "mode": "../../text->image"}),
        lambda body: json.dumps({**body, "model": "ViT-B/32"}),
        lambda body: json.dumps({**body, "format": 99}),
        lambda body: json.dumps({**body, "curve": [[0.1], []]}),
        lambda body: json.dumps({name: value for name, value in body.items() if name != "model"}),
    ],
)
def test_a_damaged_profile_is_named_and_says_what_to_do(profiles, damage):
    profiles.save(PROFILE)
    (file,) = profiles.folder.glob("profile-*.json")
    file.write_text(damage(json.loads(file.read_text())))
    with pytest.raises(CacheError, match="profile-text-to-image.json is damaged .*delete it, or calibrate again"):
        profiles.get("text->image")


def test_profiles_are_carried_and_stay_behind_those_that_are_there(profiles, tmp_path):
    profiles.save(PROFILE)
    bodies = json.loads(json.dumps(profiles.bodies()))
    other = Profiles(tmp_path / "other", MODEL)
    other.add(bodies)
    assert other.get("text->image") == PROFILE
    other.save(replace(PROFILE, threshold=0.5))
    other.add(bodies)
    assert other.get("text->image").threshold == 0.5


def test_a_disk_that_refuses_keeps_the_profile_before(profiles, monkeypatch):
    profiles.save(PROFILE)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(CacheError, match="No space left on device. The profile before is intact"):
            profiles.save(replace(PROFILE, threshold=0.5))
    assert profiles.get("text->image").threshold == 0.31


def test_expected_precision_is_read_off_the_curve():
    # half-way between 0.2 (one in ten) and 0.4 (nine in ten); flat beyond the ends
    assert PROFILE.expected(0.3) == pytest.approx(0.5)
    assert (PROFILE.expected(0.0), PROFILE.expected(0.9)) == (0.1, 0.9)
    assert replace(PROFILE, curve=((), ())).expected(0.3) is None


def test_it_prints_what_a_person_asks():
    assert str(PROFILE) == "text->image: 0.310 by best F1, from 400 judgements of 20 queries with ViT-B/32"
