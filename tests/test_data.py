"""The drawn world, its truth, its films, the sample library and the tiny model's file."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import clip
import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image, ImageOps

from cliplib.models.weights import TINY
from data.evaluation import figures
from data.sample_library.truth import queries, stretches
from data.tiny import batches, train
from data.world import captions, drawing, films, scenes
from data.world.minimal_pairs import minimal_pairs
from data.world.scenes import Query, Scene, Thing, is_true

DATA = Path(__file__).resolve().parent.parent / "data"
CAT = Thing("cat", "black", "small", "middle")
CAR = Thing("car", "red", "big", "middle")
CAT_ON_CAR = Scene((CAT, CAR), "on", "beach", "snow")
DOG_BESIDE_BALL = Scene(
    (Thing("dog", "white", "big", "left"), Thing("ball", "blue", "small", "right")), "left of", "city", "night"
)


# truth


@pytest.mark.parametrize(
    ("query", "scene", "expected"),
    [
        (Query((Thing("car", "red"),)), CAT_ON_CAR, True),
        (Query((Thing("cat", "red"),)), CAT_ON_CAR, False),  # both words fit the scene, but not the same thing
        (Query((Thing(colour="black"),)), CAT_ON_CAR, True),
        (Query(weather="snow"), CAT_ON_CAR, True),
        (Query(place="beach", weather="rain"), CAT_ON_CAR, False),
        (Query((Thing("cat"), Thing("car")), "on"), CAT_ON_CAR, True),
        (Query((Thing("car"), Thing("cat")), "on"), CAT_ON_CAR, False),
        (Query((Thing("cat"), Thing("car")), "above"), CAT_ON_CAR, True),  # what sits on another is above it
        (Query((Thing("cat"), Thing("car")), "beside"), CAT_ON_CAR, False),
        (Query((Thing("car"), Thing("cat"))), CAT_ON_CAR, True),
        (Query((Thing("dog"), Thing("ball")), "left of"), DOG_BESIDE_BALL, True),
        (Query((Thing("ball"), Thing("dog")), "left of"), DOG_BESIDE_BALL, False),
        (Query((Thing("ball"), Thing("dog")), "beside"), DOG_BESIDE_BALL, True),
        (Query((Thing("ball", side="right"),)), DOG_BESIDE_BALL, True),
        (Query((Thing("dog", size="small"),)), DOG_BESIDE_BALL, False),
        (Query((Thing(), Thing())), Scene((CAR,), "", "lake", "sun"), False),
    ],
)
def test_truth_by_hand(query, scene, expected):
    assert is_true(query, scene) is expected


def test_truth_matrix_agrees_with_is_true_pair_by_pair():
    rng = np.random.default_rng(1)
    drawn = [scenes.random_scene(rng) for _ in range(40)]
    writer = captions.Writer(rng)
    queries = [write(scene)[1] for scene in drawn for write in (writer.whole, writer.partial, writer.short)]
    expected = [[is_true(query, scene) for scene in drawn] for query in queries]
    assert (scenes.truth_matrix(queries, drawn) == np.array(expected)).all()


def test_every_caption_is_true_of_its_own_scene():
    rng = np.random.default_rng(2)
    writer = captions.Writer(rng)
    for scene in [scenes.random_scene(rng) for _ in range(200)]:
        for write in (writer.whole, writer.partial, writer.short):
            text, query = write(scene)
            assert is_true(query, scene), (text, scene)


def test_a_changed_scene_makes_the_whole_description_false():
    rng = np.random.default_rng(3)
    for scene in [scenes.random_scene(rng) for _ in range(100)]:
        assert not is_true(scenes.describe(scene), scenes.changed(scene, rng))


def test_training_scenes_never_have_a_held_out_combination():
    rng = np.random.default_rng(4)
    assert not any(scenes.held_out(scenes.random_scene(rng)) for _ in range(500))
    assert all(scenes.held_out(scenes.random_scene(rng, held_out_only=True)) for _ in range(50))


def test_holding_out_leaves_every_colour_of_every_kind_in_some_place():
    for kind in scenes.KINDS:
        for colour in scenes.COLOURS:
            everywhere = [Scene((Thing(kind, colour),), "", place, "sun") for place in scenes.PLACES]
            assert not all(map(scenes.held_out, everywhere))


# words


def test_plain_captions_read_as_people_type():
    writer = captions.Writer(np.random.default_rng(0), plain=True)
    assert writer.text(Query((Thing("umbrella"),))) == "an umbrella"
    assert writer.text(Query((Thing("car", "red"),), place="beach")) == "a red car at the beach"
    assert writer.text(Query(weather="snow")) == "snow"
    whole = Query((replace(CAT, size="", side=""), replace(CAR, size="", side="")), "on", "beach", "snow")
    assert writer.text(whole) == "a black cat on a red car at the beach in the snow"


def test_refuses_a_caption_that_claims_nothing():
    with pytest.raises(ValueError, match="claims nothing"):
        captions.Writer(np.random.default_rng(0)).text(Query())


def test_nonsense_shares_no_word_with_captions_or_with_the_training_nonsense():
    vocabulary = ["snow", "snowman", "spaghetti", "parliament", "carburettor", "algebra", "tuesday", "umbrella", "jazz"]
    training = set(captions.Nonsense(vocabulary).words)
    evaluation = set(captions.Nonsense(vocabulary, for_evaluation=True).words)
    assert training | evaluation == {"spaghetti", "parliament", "carburettor", "algebra", "tuesday", "jazz"}
    assert not training & evaluation


# pictures


def test_the_same_seed_draws_the_same_pixels_and_another_seed_others():
    first, again, other = (np.asarray(drawing.draw(CAT_ON_CAR, (120, 90), seed=seed)) for seed in (7, 7, 8))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("style", drawing.STYLES)
def test_every_style_draws_the_asked_size(style):
    picture = drawing.draw(DOG_BESIDE_BALL, (120, 90), style=style)
    assert (picture.size, picture.mode) == ((120, 90), "RGB")


def test_refuses_an_unknown_style():
    with pytest.raises(ValueError, match="unknown style 'oil'; known: picture, pastel, sketch, grain"):
        drawing.draw(CAT_ON_CAR, style="oil")


def test_the_colour_of_a_thing_is_on_its_side_of_the_picture():
    scene = Scene(
        (Thing("ball", "blue", "big", "left"), Thing("ball", "red", "big", "right")), "left of", "city", "sun"
    )
    pixels = np.asarray(drawing.draw(scene, (200, 200))).astype(int)
    blue = (pixels[..., 2] > 180) & (pixels[..., 0] < 60) & (pixels[..., 1] < 120)
    red = (pixels[..., 0] > 180) & (pixels[..., 2] < 60) & (pixels[..., 1] < 60)
    assert np.nonzero(blue)[1].mean() < 80 < 120 < np.nonzero(red)[1].mean()


# films


def make_short_film(start_s=0.0):
    return films.make_film([CAT_ON_CAR, DOG_BESIDE_BALL], [1.5, 1.0], start_s=start_s)


def test_events_follow_one_another_without_gaps():
    film = make_short_film(start_s=3.2)
    assert [(event.start_s, event.end_s) for event in film.events] == [(3.2, 4.7), (4.7, 5.7)]
    assert films.event_at(film, 4.69).scene == CAT_ON_CAR
    assert films.event_at(film, 4.7).scene == DOG_BESIDE_BALL


def test_refuses_a_time_outside_the_film():
    with pytest.raises(ValueError, match="nothing is shown at 2.5 s; the film runs from 0.0 to 2.5 s"):
        films.event_at(make_short_film(), 2.5)


@pytest.mark.parametrize(
    ("options", "start_s", "expected_s"),
    [
        ({"fps": 25}, 0.0, [number / 25 for number in range(62)]),
        ({"fps": Fraction(30000, 1001)}, 0.0, [number * 1001 / 30000 for number in range(74)]),
        ({"fps": 10}, 3.2, [3.2 + number / 10 for number in range(25)]),
        ({"times_s": [0, 0.04, 0.3, 1.5, 2.4]}, 0.0, [0, 0.04, 0.3, 1.5, 2.4]),
    ],
)
def test_written_videos_have_the_asked_presentation_times(tmp_path, options, start_s, expected_s):
    films.write_video(make_short_film(start_s), tmp_path / "film.mp4", size=(64, 48), **options)
    with av.open(str(tmp_path / "film.mp4")) as container:
        times_s = [frame.time for frame in container.decode(video=0)]
    assert times_s == pytest.approx(expected_s, abs=1e-3)


def test_a_turned_video_stores_its_frames_turned_and_says_so(tmp_path):
    films.write_video(make_short_film(), tmp_path / "film.mp4", size=(96, 64), fps=5, rotation=90)
    with av.open(str(tmp_path / "film.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == (64, 96)
    upright = np.asarray(frame.to_image().rotate(frame.rotation, expand=True), int)
    assert np.abs(upright - np.asarray(films.draw_frame(make_short_film(), 0.0, (96, 64)), int)).mean() < 12


# figures


def test_recall_by_hand():
    scores = np.array([[0.9, 0.1, 0.0], [0.8, 0.5, 0.1], [0.7, 0.6, 0.5]])  # own column ranks 1st, 2nd, 3rd
    assert [figures.recall_at(scores, k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1])


def test_best_f1_threshold_by_hand():
    # Cut after the third: TP 2, FP 1, FN 0, F1 0.8; after the first: TP 1, FN 1, F1 0.67.
    threshold = figures.best_f1_threshold(np.array([0.9, 0.5, 0.7, 0.1]), np.array([True, True, False, False]))
    assert threshold == pytest.approx(0.3)


def test_unambiguous_captions_are_true_of_their_own_scene_only():
    drawn, texts = figures.unambiguous_pairs(np.random.default_rng(0), 50, held_out_only=True)
    assert len(drawn) == len(texts) == len(set(drawn)) == 50


# the sample library


@pytest.mark.parametrize(("mode", "count"), [("text->image", 50), ("image->image", 16), ("text->video", 56)])
def test_every_file_that_a_query_names_is_in_the_sample(mode, count):
    rows = queries(mode)
    assert len(rows) == count
    for query, relevant in rows:
        assert relevant, query
        named = [path for path, *_ in stretches(relevant)] if mode == "text->video" else relevant.split("|")
        named += [query] * (mode == "image->image")
        assert [name for name in named if not (DATA / "sample" / name).is_file()] == []


def test_the_sample_has_the_promised_formats_and_stays_small():
    files = [path for path in (DATA / "sample").rglob("*") if path.is_file() and ".cliplib" not in path.parts]
    photos = [path for path in files if path.parent.name != "videos"]
    assert len(photos) == 200
    assert {path.suffix for path in files} >= {".jpg", ".png", ".HEIC", ".mp4", ".webm"}
    assert sum(path.stat().st_size for path in files) < 12e6


def test_some_sample_photos_are_stored_turned_and_most_have_a_date():
    turned, dated = 0, 0
    photos = [path for path in (DATA / "sample").rglob("*") if path.suffix.lower() == ".jpg"]
    for path in photos:
        with Image.open(path) as photo:
            exif = photo.getexif()
            turned += exif.get(274, 1) != 1
            dated += 36867 in exif.get_ifd(34665)
            assert ImageOps.exif_transpose(photo).size in {(640, 480), (480, 360), (480, 640), (512, 512)}
    assert turned > 10
    assert 0.7 * len(photos) < dated < len(photos)


# the tiny model


def test_the_tiny_model_is_small_and_says_what_it_is():
    path = TINY
    assert path.stat().st_size < 12e6
    with safetensors.safe_open(path, "pt") as file:
        about = file.metadata()
    assert (about["name"], about["activation"]) == ("tiny", "quickgelu")
    assert set(json.loads(about["thresholds"])) == {"text->image", "image->image", "text->video", "image->video"}
    assert "only the drawn world" in about["banner"]


def test_the_tiny_model_loads_strictly_into_openai_clip():
    model = train.build_model(train.Config())
    model.load_state_dict(safetensors.torch.load_file(TINY), strict=True)
    assert sum(parameter.numel() for parameter in model.parameters()) < 6e6


def test_training_tokens_equal_those_of_clip():
    rng = np.random.default_rng(5)
    writer = captions.Writer(rng)
    texts = [writer.whole(scenes.random_scene(rng))[0] for _ in range(20)]
    tokens, reference = train.Tokens()(texts), clip.tokenize(texts)
    assert (reference[:, : tokens.shape[1]] == tokens).all()
    assert not reference[:, tokens.shape[1] :].any()


def test_cutting_the_text_after_its_end_changes_nothing():
    texts = ["a red car", "a black cat on a red car at the beach in the snow"]
    with torch.no_grad():
        model = train.build_model(train.Config()).eval()
        whole = torch.nn.functional.normalize(model.encode_text(clip.tokenize(texts)), dim=-1)
        cut = train.encode_texts(model, train.Tokens()(texts))
    assert torch.allclose(whole, cut, atol=1e-5)


def test_texts_in_groups_of_like_length_are_the_same_rows():
    texts = ["a red car", "a black cat on a red car at the beach in the snow", "snow", "a dog at the lake"]
    with torch.no_grad():
        model, tokens = train.build_model(train.Config()).eval(), train.Tokens()(texts)
        assert torch.allclose(train.encode_texts_by_length(model, tokens), train.encode_texts(model, tokens), atol=1e-5)


def test_batches_of_short_texts_say_one_thing_each():
    rng = np.random.default_rng(5)
    shown = [scenes.random_scene(rng) for _ in range(32)]
    _, claims = batches.batch_texts(shown, rng, captions.Nonsense(["spaghetti", "parliament"]), only_short=True)
    said = [claim for claim in claims if claim is not None]
    assert set(scenes.SHORT_QUERIES) <= set(said) and len(said) < len(claims)
    assert all(len(claim.things) + bool(claim.place) + bool(claim.weather) == 1 for claim in said)


def test_minimal_pairs_differ_in_their_pictures_and_texts():
    for texts, (one, other) in minimal_pairs("HELLO").values():
        assert texts[0] != texts[1] and np.any(np.asarray(one) != np.asarray(other))


def test_the_loss_by_hand():
    # Two texts, one image, scale 2, cosines 1 and 0; only the first text is true. Text to image has one candidate: 0.
    texts, image = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    loss = train.contrastive_loss(texts, image, torch.tensor([[True], [False]]), 2.0)
    assert loss.item() == pytest.approx(np.log(1 + np.exp(-2)) / 2, abs=1e-6)
