"""Names of tensors: a CLIP is found below whatever a trainer puts before it."""

import pytest
import torch

from cliplib.errors import ModelError
from cliplib.models.naming import find_clip, to_openai_names

ONE = torch.zeros(1)
CLIP = {"visual.conv1.weight": ONE, "transformer.resblocks.0.ln_1.weight": ONE, "token_embedding.weight": ONE}


def below(prefix):
    return {prefix + name: value for name, value in CLIP.items()}


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "student.clip."])
def test_prefixes_go(prefix):
    state, notes = find_clip([("state_dict", below(prefix) | {"head.weight": ONE})])
    assert set(CLIP) <= set(state) and notes == ()


def test_of_two_the_one_that_is_no_average_is_taken_and_both_are_said():
    state, (note,) = find_clip([("", below("ema.") | below("student."))])
    assert set(state) == set(CLIP) and "it holds 2 models, at student, ema" in note


def test_an_adapter_is_refused():
    with pytest.raises(ModelError, match="adapter such as LoRA's .*merge_and_unload"):
        find_clip([("", CLIP | {"visual.proj.lora_A.weight": ONE})])


def test_a_scale_in_an_array_becomes_a_number_and_a_bias_goes():
    state = to_openai_names(CLIP | {"logit_scale": torch.ones(1), "logit_bias": ONE})
    assert state["logit_scale"].shape == () and "logit_bias" not in state
