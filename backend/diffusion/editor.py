"""A diffusion pipeline at work: pictures and prompts in, edited pictures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from backend.diffusion.pipelines import DiffusionError, Found

SCHEDULERS = {
    "as saved": "",
    "ddim": "DDIMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler ancestral": "EulerAncestralDiscreteScheduler",
    "dpm++": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
    "lcm": "LCMScheduler",
}
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Settings:
    """How a pipeline edits. ``strength`` is for img2img, ``image_guidance`` for InstructPix2Pix.

    Sources: Ho, Salimans, Classifier-free diffusion guidance, 2022 (guidance); Brooks et al.,
    InstructPix2Pix, CVPR 2023, eq. 3 (image guidance); Meng et al., SDEdit, ICLR 2022 (strength).
    """

    steps: int = 50
    guidance: float = 7.5
    image_guidance: float = 1.5
    strength: float = 0.6
    scheduler: str = "as saved"
    dtype: str = "float32"
    size: int | None = None
    """Height and width at which the pipeline works; None: those that it was made for."""
    negative: str = ""
    """What the picture is not to show."""


class Editor:
    """A loaded pipeline. Each picture has its own seed, so a batch changes nothing but speed."""

    def __init__(self, found: Found, settings: Settings, device: str = "cpu") -> None:
        """Load the weights.

        Raises:
            DiffusionError: diffusers is not installed, or the pipeline cannot be loaded.
        """
        if settings.dtype == "float16" and device == "cpu":
            raise DiffusionError("float16 is not computed on the CPU; choose float32.")
        self._found = found
        self._settings = settings
        self._device = device
        self._pipeline = _load(found, settings, device)
        self._size = settings.size or found.native_size
        if self._size % 8:
            raise DiffusionError(f"The working size is {self._size}; choose a multiple of 8.")

    def __call__(
        self, pixels: np.ndarray, prompts: Sequence[str], seeds: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Edit pictures (B, H, W, 3) uint8 as ``prompts`` say.

        Returns:
            The edited pictures, same shape and type, and which of them are finite (B,).
        """
        height, width = pixels.shape[1:3]
        side = (self._size, self._size)
        options: dict[str, Any] = {
            "prompt": list(prompts),
            "image": [_resized(Image.fromarray(one), side) for one in pixels],
            "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            "num_inference_steps": self._settings.steps,
            "guidance_scale": self._settings.guidance,
            "output_type": "np",
        }
        if self._settings.negative:
            options["negative_prompt"] = [self._settings.negative] * len(prompts)
        if self._found.kind == "instruct":
            options["image_guidance_scale"] = self._settings.image_guidance
        else:
            options["strength"] = self._settings.strength
        with torch.no_grad():
            made = np.asarray(self._pipeline(**options).images, np.float32)
        finite = np.isfinite(made).reshape(len(made), -1).all(1)
        u8 = np.rint(np.nan_to_num(made).clip(0, 1) * 255).astype(np.uint8)
        edited = [np.asarray(_resized(Image.fromarray(one), (width, height))) for one in u8]
        return np.stack(edited), finite


def _load(found: Found, settings: Settings, device: str) -> Any:
    try:
        import diffusers
        import transformers  # noqa: F401  (the text encoder's)
    except ImportError as error:
        raise DiffusionError(
            "Diffusion pipelines need the package diffusers; install it with "
            "'pip install fretsaw[diffusion]'."
        ) from error
    _without_bars()
    try:
        pipeline = getattr(diffusers, found.class_name).from_pretrained(
            found.folder,
            use_safetensors=True,
            dtype=DTYPES[settings.dtype],
            local_files_only=True,
            low_cpu_mem_usage=True,
        )
        if SCHEDULERS[settings.scheduler]:
            scheduler = getattr(diffusers, SCHEDULERS[settings.scheduler])
            pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config)
        pipeline = pipeline.to(device)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        reason = str(error).strip().split("\n")[0][:300]
        raise DiffusionError(f"{found.source} cannot be loaded: {reason}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _without_bars() -> None:
    """Keep the libraries' own progress bars out of the log; the node shows its progress."""
    import diffusers
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
