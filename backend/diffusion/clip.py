"""How well an edited picture fits its prompt, by the CLIP network that the user has.

Source: Radford et al., Learning transferable visual models from natural language supervision,
ICML 2021 (similarity); Gal et al., StyleGAN-NADA, SIGGRAPH 2022, eq. 3 (direction)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from backend.diffusion.pipelines import DiffusionError

# Mean and deviation of the pictures that CLIP was trained on, unless its folder says other ones.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ClipBounds:
    """What an edit must reach; the defaults are those of the E2GAN and InstructPix2Pix recipes."""

    gain: float = 0.02
    """Least rise of the similarity of picture and wanted caption over that of the source."""
    direction: float = 0.1
    """Least cosine of the change of pictures and the change of captions."""
    likeness: float = 0.7
    """Least similarity of source and target."""


class Clip:
    """A CLIP network in a folder or in the hub's cache, in the transformers layout."""

    def __init__(self, source: str) -> None:
        """Load it.

        Raises:
            DiffusionError: transformers is not installed, or there is no CLIP with safetensors.
        """
        try:
            import transformers
        except ImportError as error:
            raise DiffusionError(
                "The CLIP filter needs the package transformers; install it with "
                "'pip install fretsaw[diffusion]'."
            ) from error
        transformers.utils.logging.disable_progress_bar()
        where = str(Path(source).expanduser()) if Path(source).expanduser().is_dir() else source
        try:
            options = {"local_files_only": True}
            self._network: Any = transformers.CLIPModel.from_pretrained(
                where, use_safetensors=True, **options
            )
            self._tokenizer: Any = transformers.CLIPTokenizer.from_pretrained(where, **options)
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise DiffusionError(
                f"{source} cannot be loaded as a CLIP network ({reason}); give a folder with "
                "config.json, model.safetensors and the tokenizer."
            ) from error
        self._network.eval()
        self._side = int(self._network.config.vision_config.image_size)

    @torch.no_grad()
    def embed(self, pictures: np.ndarray, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return unit vectors (B, D) of pictures (B, H, W, 3) uint8 and (T, D) of texts."""
        size = (self._side, self._side)
        small = [Image.fromarray(p).resize(size, Image.Resampling.BICUBIC) for p in pictures]
        x = (np.stack([np.asarray(one) for one in small]) / 255 - _MEAN) / _STD
        pixels = torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32))
        words = self._tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        out = self._network(
            pixel_values=pixels,
            input_ids=words["input_ids"],
            attention_mask=words["attention_mask"],
        )
        return out.image_embeds.numpy(), out.text_embeds.numpy()

    def figures(
        self, source: np.ndarray, target: np.ndarray, before: str, after: str
    ) -> dict[str, float]:
        """Return ``gain``, ``direction`` and ``likeness`` of an edit, see :class:`ClipBounds`."""
        pictures, texts = self.embed(np.stack([source, target]), [before, after])
        moved, wanted = pictures[1] - pictures[0], texts[1] - texts[0]
        scale = float(np.linalg.norm(moved) * np.linalg.norm(wanted))
        return {
            "gain": float((pictures[1] - pictures[0]) @ texts[1]),
            "direction": float(moved @ wanted) / scale if scale > 1e-9 else 0.0,
            "likeness": float(pictures[0] @ pictures[1]),
        }


def clip_reason(figures: dict[str, float], bounds: ClipBounds) -> str:
    """Return why an edit is left out in words for a table, or ""."""
    words = {"gain": "prompt not met", "direction": "another edit", "likeness": "another picture"}
    return next((words[k] for k in words if figures[k] < getattr(bounds, k)), "")
