"""Arithmetic is chosen by measuring; what is chosen changes no number by more than rounding."""

import pytest
import torch

from cliplib.models import cpu_kernels, towers
from cliplib.models.weights import load_weights

DTYPES = [torch.float32, torch.bfloat16]


@pytest.fixture(autouse=True)
def measured_anew():
    measured = cpu_kernels.bf16_pays, cpu_kernels.reordering_pays
    for pays in measured:
        pays.cache_clear()
    yield
    for pays in measured:
        pays.cache_clear()


def skip_unless_it_reorders(dtype):
    try:
        cpu_kernels.ReorderedLinear(cpu_kernels._widest(dtype))(torch.ones(1, 768, dtype=dtype))
    except (AttributeError, RuntimeError):
        pytest.skip("this PyTorch or CPU cannot reorder")


@pytest.mark.parametrize(
    ("units", "fp32_s", "bf16_s", "pays"),
    [("amx_bf16", 6.0, 1.0, True), ("avx512_bf16", 2.0, 1.0, True), ("avx512_bf16", 1.0, 1.8, False),
     ("avx512_bf16", 1.1, 1.0, False), ("avx512_f", 9.0, 1.0, False)],
)  # fmt: skip
def test_bf16_is_taken_where_it_is_measured_to_be_faster(monkeypatch, units, fp32_s, bf16_s, pays):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {units: True, "amx_tile": False}, raising=False)
    monkeypatch.setattr(cpu_kernels, "_best_seconds", lambda *products: [fp32_s, bf16_s])
    assert cpu_kernels.bf16_pays() is pays


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("plain_s", "reordered_s", "pays"), [(2.0, 1.0, True), (1.0, 2.0, False)])
def test_weights_are_reordered_where_that_is_measured_to_be_faster(monkeypatch, dtype, plain_s, reordered_s, pays):
    skip_unless_it_reorders(dtype)
    monkeypatch.setattr(cpu_kernels, "_best_seconds", lambda *products: 2 * [plain_s, reordered_s])
    assert cpu_kernels.reordering_pays(dtype) is pays


@pytest.mark.parametrize("fault", [AttributeError, RuntimeError, None])
def test_weights_stay_plain_where_reordering_fails_or_is_wrong(monkeypatch, fault):
    def forward(layer, x):
        if fault:
            raise fault("no such call")
        return torch.zeros(len(x), 3072)

    monkeypatch.setattr(cpu_kernels.ReorderedLinear, "__init__", lambda layer, plain: torch.nn.Module.__init__(layer))
    monkeypatch.setattr(cpu_kernels.ReorderedLinear, "forward", forward)
    assert cpu_kernels.reordering_pays(torch.float32) is False


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_model_of_reordered_weights_gives_the_same_numbers(monkeypatch, weights, dtype):
    skip_unless_it_reorders(torch.float32)  # the text tower's
    skip_unless_it_reorders(dtype)
    loaded = load_weights(weights)
    plain, reordered = (towers.build(loaded) for _ in range(2))
    for model in (plain, reordered):
        towers.convert(model.visual, dtype)
    monkeypatch.setattr(towers, "reordering_pays", lambda dtype: True)
    towers.reorder_weights(reordered)
    layers = [layer for layer in reordered.modules() if isinstance(layer, cpu_kernels.ReorderedLinear)]
    blocks = len(reordered.transformer.blocks) + len(reordered.visual.transformer.blocks)
    assert len(layers) == 4 * blocks - 2, "all four of each block, but for the attention of the image tower's last"
    n = loaded.sizes["image_resolution"]
    pixels = torch.randint(256, (3, n, n, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    words = torch.randn(9, 2, reordered.ln_final.normalized_shape[0], generator=torch.Generator().manual_seed(0))
    rounding = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 2e-2}
    with torch.inference_mode():
        torch.testing.assert_close(reordered.visual(pixels), plain.visual(pixels), **rounding)
        torch.testing.assert_close(reordered.transformer(words), plain.transformer(words), rtol=1e-5, atol=1e-5)
