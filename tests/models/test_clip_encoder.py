"""The encoder: the same numbers as openai/CLIP, in any order and batch, and clear words where there are none."""

import threading
import warnings

import clip.clip
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Resize

from cliplib import models
from cliplib.errors import ModelError, QueryError
from cliplib.media.photo import open_photo
from cliplib.models import clip_encoder
from cliplib.models.clip_encoder import CACHED_TEXTS, ClipEncoder
from cliplib.models.towers import Towers
from cliplib.models.weights import load_weights
from tests.harness.checkpoints import (
    half_state,
    random_clip,
    reference_images,
    reference_texts,
    save_plain,
    save_safetensors,
    save_torchscript,
)

TEXTS = [
    "a dog",
    "a red car on a wet street",
    "two children building a sandcastle on the beach at sunset, seen from above",
]
PHOTOS = (
    "beach_sand.jpg",
    "cat_black.jpg",
    "chelsea.png",
    "giraffe_green_brown.jpg",
    "Landscape_1.jpg",
    "turtle_brown_blue.jpg",
)


def no_jit(*_, **__):
    raise AssertionError("torch.jit was asked to run something")


def noise(width, height, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def smooth(width, height):
    """Waves of colour: what a resize may blur but must not move."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = np.stack([np.sin(9 * x + 5 * y), np.cos(7 * x), np.sin(11 * y)], axis=-1)
    return Image.fromarray((127 + 120 * waves).astype(np.uint8))


@pytest.fixture(scope="module", params=["ViT-B/32", "RN50"])
def full_size(request, tmp_path_factory):
    """A random model of real size: (the reference in fp32, its state as shipped, the path of its archive)."""
    model = random_clip(request.param)
    path = save_torchscript(model, tmp_path_factory.mktemp("full") / "archive.pt")
    yield model, half_state(model), path
    path.unlink()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small random model: (the reference in fp32, its path)."""
    model = random_clip("small")
    return model, save_torchscript(model, tmp_path_factory.mktemp("small") / "small.pt")


@pytest.fixture
def encoder(small):
    return models.load(small[1], device="cpu", precision="fp32")


@pytest.mark.slow
def test_three_formats_load_to_equal_tensors_and_embed_as_openai_clip_does(full_size, tmp_path, media, monkeypatch):
    model, state, archive = full_size
    for name in ("load", "script", "trace"):
        monkeypatch.setattr(torch.jit, name, no_jit)
    monkeypatch.setattr(torch._C, "import_ir_module", no_jit)
    files = [
        archive,
        save_plain(state, tmp_path / "plain.pt"),
        save_safetensors(state, tmp_path / "hub.safetensors"),
    ]
    read = [load_weights(file, activation="quickgelu") for file in files]
    assert len({weights.model_id for weights in read}) == 1
    for weights in read:
        assert weights.state.keys() == state.keys()
        for name, tensor in weights.state.items():
            assert tensor.dtype == state[name].dtype and torch.equal(tensor, state[name]), name

    photos = [open_photo(media / "photos" / name).image for name in PHOTOS[:3]]
    embedded = ClipEncoder(read[0], "cpu", "fp32")
    np.testing.assert_allclose(embedded.encode_images(photos), reference_images(model, photos), rtol=0, atol=1e-5)
    np.testing.assert_allclose(embedded.encode_texts(TEXTS), reference_texts(model, TEXTS), rtol=0, atol=1e-5)
    assert (embedded.dim, embedded.resolution) == (state["text_projection"].shape[1], 224)
    assert embedded.context_length == 77


@pytest.mark.slow
def test_bf16_and_reduced_decoding_keep_the_embedding_of_real_photos(full_size, media):
    model, _, archive = full_size
    encoder = models.load(archive, device="cpu", precision="bf16")
    whole = [open_photo(media / "photos" / name).image for name in PHOTOS]
    reduced = [open_photo(media / "photos" / name, shortest=encoder.resolution).image for name in PHOTOS]
    assert any(a.size != b.size for a, b in zip(whole, reduced, strict=True))
    cosines = (encoder.encode_images(reduced) * reference_images(model, whole)).sum(axis=1)
    assert cosines.min() >= 0.999, cosines


def test_gelu_and_quickgelu_give_different_ids_and_their_own_right_numbers(tmp_path):
    quick, plain = random_clip("small"), random_clip("small", "gelu")
    path = save_plain(half_state(quick), tmp_path / "same-weights.pt")
    pictures = [noise(40, 50), smooth(64, 32)]
    encoders = [models.load(path, "cpu", "fp32", activation) for activation in ("quickgelu", "gelu")]
    assert encoders[0].model_id != encoders[1].model_id
    for encoder, right, wrong in zip(encoders, (quick, plain), (plain, quick), strict=True):
        for rows, reference, given in (
            (encoder.encode_images(pictures), reference_images, pictures),
            (encoder.encode_texts(TEXTS), reference_texts, TEXTS),
        ):
            assert np.abs(rows - reference(right, given)).max() < 1e-5
            assert np.abs(rows - reference(wrong, given)).max() > 1e-3


@pytest.mark.parametrize(
    "size",
    [(1, 1), (32, 32), (33, 32), (32, 33), (31, 97), (300, 200), (200, 300), (641, 479), (5, 160), (999, 33), (50, 51)],
)
def test_prepare_is_bit_for_bit_openai_clips_resize_and_crop(encoder, size):
    image = noise(*size)
    expected = CenterCrop(32)(Resize(32, interpolation=clip.clip.BICUBIC)(image))
    prepared = encoder.prepare(image)
    assert prepared.dtype == np.uint8 and prepared.shape == (32, 32, 3)
    np.testing.assert_array_equal(prepared, np.asarray(expected))


@pytest.mark.parametrize("size", [(20, 2000), (2000, 20), (3, 400)])
def test_prepare_of_extreme_aspect_ratios_matches_within_rounding(encoder, size):
    image = smooth(*size)
    expected = CenterCrop(32)(Resize(32, interpolation=clip.clip.BICUBIC)(image))
    assert np.abs(encoder.prepare(image).astype(int) - np.asarray(expected)).max() <= 2


def test_prepare_of_a_line_of_pixels_never_makes_the_whole_picture(encoder, monkeypatch):
    sizes, resize = [], Image.Image.resize
    monkeypatch.setattr(
        Image.Image, "resize", lambda image, size, *a, **k: sizes.append(size) or resize(image, size, *a, **k)
    )
    encoder.prepare(Image.new("RGB", (1, 30000)))
    assert sizes == [(32, 32)]


def test_prepare_turns_other_modes_into_rgb(encoder):
    grey = smooth(60, 40).convert("L")
    np.testing.assert_array_equal(encoder.prepare(grey), encoder.prepare(grey.convert("RGB")))


def test_many_images_are_shared_out_among_the_cores_and_threads_are_left_as_they_were(encoder):
    images, before, later = [noise(32, 32, seed) for seed in range(40)], torch.get_num_threads(), []
    alone = np.concatenate([encoder.encode_images([image]) for image in images])
    np.testing.assert_allclose(encoder.encode_images(images, batch_size=40), alone, rtol=0, atol=1e-5)
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert [torch.get_num_threads(), *later] == [before, before]


@pytest.mark.parametrize(("pictures", "shares"), [(1, [1]), (2, [1, 1]), (5, [3, 2]), (40, [16, 16, 8])])
def test_each_core_has_its_share_of_a_batch_however_small(encoder, monkeypatch, pictures, shares):
    seen, whole = [], encoder._image_rows
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(encoder, "_image_rows", lambda pixels: seen.append(len(pixels)) or whole(pixels))
    encoder.encode_images([noise(32, 32, seed) for seed in range(pictures)], batch_size=40)
    assert sorted(seen, reverse=True) == shares


def test_images_keep_their_order_whatever_the_batch_and_the_kind(encoder, small):
    images = [noise(30 + seed, 40, seed) for seed in range(7)]
    mixed = [encoder.prepare(image) if seed % 2 else image for seed, image in enumerate(images)]
    expected = reference_images(small[0], images)
    for rows in (encoder.encode_images(images), encoder.encode_images(mixed, batch_size=2)):
        assert rows.dtype == np.float32 and rows.shape == (7, 64)
        np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_nothing_in_gives_nothing_out(encoder):
    assert encoder.encode_images([]).shape == (0, 64)
    assert encoder.encode_texts([]).shape == (0, 64)


@pytest.mark.parametrize("array", [np.zeros((31, 32, 3), np.uint8), np.zeros((32, 32, 3), np.float32)])
def test_refuses_arrays_that_prepare_did_not_give(encoder, array):
    with pytest.raises(ValueError, match=r"uint8 \(32, 32, 3\)"):
        encoder.encode_images([array])


def memory_for(images, monkeypatch):
    """Let the image tower run out of memory above `images` at once; the list of batch sizes that it was given."""
    tower, asked = Towers.images, []

    def limited(towers, pixels):
        asked.append(len(pixels))
        if len(pixels) > images:
            raise torch.OutOfMemoryError("CUDA out of memory (pretended)")
        return tower(towers, pixels)

    monkeypatch.setattr(Towers, "images", limited)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # a GPU is given a batch whole
    return asked


def test_fault_36_batches_are_halved_when_memory_runs_out_and_nothing_is_skipped(encoder, monkeypatch):
    """A GPU whose memory runs out: smaller batches, and nothing is skipped."""
    images = [noise(32, 32, seed) for seed in range(10)]
    expected = encoder.encode_images(images)
    asked = memory_for(2, monkeypatch)
    np.testing.assert_allclose(encoder.encode_images(images), expected, rtol=0, atol=1e-5)
    assert asked == [10, 5, 2, 2, 2, 2, 2]
    assert encoder.batch_size == 2


def test_says_so_when_not_even_one_image_fits(encoder, monkeypatch):
    memory_for(0, monkeypatch)
    with pytest.raises(ModelError, match=r'not even one image fits into cpu.*device="cpu"'):
        encoder.encode_images([noise(32, 32)] * 3)


def test_an_interrupt_passes_through(encoder, monkeypatch):
    def interrupted(towers, pixels):
        raise KeyboardInterrupt

    monkeypatch.setattr(Towers, "images", interrupted)
    with pytest.raises(KeyboardInterrupt):
        encoder.encode_images([noise(32, 32)])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_refuses_embeddings_that_are_no_direction(encoder, monkeypatch, value):
    monkeypatch.setattr(Towers, "images", lambda towers, pixels: torch.full((len(pixels), 64), value))
    with pytest.raises(ModelError, match=r'gave an image an embedding that is not finite.*precision="fp32"'):
        encoder.encode_images([noise(32, 32)])


def test_cutting_the_unused_positions_is_exact(encoder, small):
    mixed = ["", *TEXTS, "word " * 90]
    mixed[0] = "x"
    with pytest.warns(UserWarning, match="longer than the 75 tokens"):
        rows = encoder.encode_texts(mixed)
    np.testing.assert_allclose(rows, reference_texts(small[0], mixed), rtol=0, atol=1e-6)
    np.testing.assert_allclose(encoder.encode_texts("x"), rows[:1], rtol=0, atol=1e-6)


def test_a_repeated_text_is_encoded_once(encoder, monkeypatch):
    counted, encode = [], Towers.texts
    monkeypatch.setattr(Towers, "texts", lambda towers, tokens: counted.append(len(tokens)) or encode(towers, tokens))
    first = encoder.encode_texts(["a dog", "a cat", "a dog"])
    again = encoder.encode_texts("a dog")
    assert counted == [2]
    np.testing.assert_array_equal(first[[0, 2]], np.repeat(again, 2, axis=0))


def test_so_many_texts_are_remembered_and_the_oldest_are_forgotten(encoder, monkeypatch):
    counted, encode = [], Towers.texts
    monkeypatch.setattr(Towers, "texts", lambda towers, tokens: counted.append(len(tokens)) or encode(towers, tokens))
    many = [f"number {n}" for n in range(CACHED_TEXTS + 5)]
    assert encoder.encode_texts(many).shape == (CACHED_TEXTS + 5, 64)
    assert sum(counted) == CACHED_TEXTS + 5
    encoder.encode_texts(many[5:])
    assert sum(counted) == CACHED_TEXTS + 5
    encoder.encode_texts(many[:5])
    assert sum(counted) == CACHED_TEXTS + 10


@pytest.mark.parametrize("text", ["", "  \n\t", "...", "!?", "—", "&nbsp;", "\u200d"])
def test_refuses_queries_without_words(encoder, text):
    with pytest.raises(QueryError, match="has no words; describe what the picture shows"):
        encoder.encode_texts(text)


def test_refuses_queries_that_are_not_text(encoder):
    with pytest.raises(QueryError, match="a query must be text, got int: 5"):
        encoder.encode_texts([5])


@pytest.mark.parametrize("text", ["🐶", "狗在沙滩上", "собака", "3"])
def test_other_scripts_emoji_and_digits_get_an_answer(encoder, small, text):
    np.testing.assert_allclose(encoder.encode_texts(text), reference_texts(small[0], [text]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("text", ["dog beach " * 5000, "a" * 100_000])
def test_long_texts_are_cut_and_the_place_is_said(encoder, small, text):
    with pytest.warns(UserWarning, match=r"longer than the 75 tokens that .*what follows '\.\.\..+' was cut"):
        rows = encoder.encode_texts(text)
    np.testing.assert_allclose(rows, reference_texts(small[0], [text[:4000]]), rtol=0, atol=1e-6)


def test_a_text_that_just_fits_is_not_said_to_be_cut(encoder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.encode_texts("dog " * 75)


def test_says_what_it_is(encoder, small):
    assert (encoder.name, encoder.device, encoder.precision) == (str(small[1]), "cpu", "fp32")
    assert (encoder.dim, encoder.resolution, encoder.context_length) == (64, 32, 77)
    assert "shorter side to 32 bicubic" in encoder.preprocessing and encoder.batch_size > 1
    assert encoder.logit_scale == pytest.approx(1 / 0.07, rel=1e-5)
    assert (encoder.thresholds, encoder.warning) == ({}, "")


@pytest.mark.parametrize(("pays", "precision"), [(True, "bf16"), (False, "fp32")])
def test_precision_follows_the_cpu(small, monkeypatch, pays, precision):
    monkeypatch.setattr(clip_encoder, "bf16_pays", lambda: pays)
    encoder = models.load(small[1], device="cpu")
    assert encoder.precision == precision
    # a short text is faster in fp32, whatever pictures are encoded in
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), reference_texts(small[0], TEXTS), rtol=0, atol=1e-6)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_refuses_precisions_that_the_device_has_not(small, precision):
    with pytest.raises(ModelError, match=f'precision="{precision}" on cpu: allowed are fp32 and bf16'):
        models.load(small[1], device="cpu", precision=precision)


def test_refuses_a_gpu_that_is_not_there(small, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match=r'device="cuda" was asked for and PyTorch .* sees no GPU; use "cpu"'):
        models.load(small[1], device="cuda")


def test_loading_spends_no_random_numbers(small):
    before = torch.get_rng_state()
    models.load(small[1], device="cpu", precision="fp32")
    assert torch.equal(before, torch.get_rng_state())


def test_refuses_weights_that_do_not_fit_the_classes(small, tmp_path):
    state = half_state(small[0])
    wrong = {**state, "visual.proj": torch.zeros(65, 64)}
    missing = {name: value for name, value in state.items() if name != "transformer.resblocks.1.mlp.c_fc.bias"}
    vocabulary = {**state, "token_embedding.weight": state["token_embedding.weight"][:100]}
    for broken, words in ((wrong, "visual.proj"), (missing, "c_fc.bias"), (vocabulary, "vocabulary of 100")):
        path = save_plain(broken, tmp_path / "broken.pt")
        with pytest.raises(ModelError, match=f"broken.pt does not fit openai/CLIP's classes: .*{words}"):
            models.load(path, device="cpu", activation="quickgelu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_directions(small):
    images = [noise(40, 50, seed) for seed in range(5)]
    encoder = models.load(small[1])
    assert (encoder.device, encoder.precision) == ("cuda", "fp16")
    assert (encoder.encode_images(images) * reference_images(small[0], images)).sum(axis=1).min() > 0.999
    assert (encoder.encode_texts(TEXTS) * reference_texts(small[0], TEXTS)).sum(axis=1).min() > 0.999
