"""Real pipelines, as small as they can be and with random weights, saved in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from backend.diffusion.pipelines import MARK


def tokenizer(folder: Path) -> Any:
    """A CLIP tokenizer of single bytes, made without a download."""
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 256))]
    letters += [chr(256 + i) for i in range(256 - len(letters))]
    words = [*letters, *(f"{one}</w>" for one in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"), model_max_length=77
    )


def save_pipeline(folder: Path, kind: str = "instruct", *, marked: bool = True) -> Path:
    """Write an InstructPix2Pix or a Stable Diffusion pipeline for 32 px."""
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    words = tokenizer(folder.parent / f"{folder.name}-tokenizer")
    unet = diffusers.UNet2DConditionModel(
        sample_size=16,
        in_channels=8 if kind == "instruct" else 4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=16,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=32,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    )
    classes = {
        "instruct": diffusers.StableDiffusionInstructPix2PixPipeline,
        "img2img": diffusers.StableDiffusionPipeline,
    }
    pipeline = classes[kind](
        vae=vae,
        text_encoder=text,
        tokenizer=words,
        unet=unet,
        scheduler=diffusers.DDIMScheduler(
            clip_sample=False, set_alpha_to_one=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    if marked:
        index = json.loads((folder / "model_index.json").read_bytes())
        (folder / "model_index.json").write_text(json.dumps({**index, MARK: True}, indent=2))
    return folder


def save_clip(folder: Path) -> Path:
    """Write a CLIP network of two layers for 32 px with its tokenizer."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    words = tokenizer(folder.parent / f"{folder.name}-tokenizer")
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2}
    config = CLIPConfig(
        text_config={
            **small,
            "vocab_size": len(words),
            "eos_token_id": words.eos_token_id,
            "bos_token_id": words.bos_token_id,
            "pad_token_id": words.pad_token_id,
        },
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder, safe_serialization=True)
    words.save_pretrained(folder)
    return folder
