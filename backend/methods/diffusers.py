"""Diffusion pipelines as teachers, and the pairs that they make from prompts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.data import counter
from backend.data.pair_filters import Bounds
from backend.data.photos import PhotoImages
from backend.diffusion.clip import Clip, ClipBounds, clip_reason
from backend.diffusion.editor import Editor, Settings
from backend.diffusion.pipelines import DiffusionError, Found, find_pipeline, size_on_hub
from backend.methods.pair_making import Job, Making, make, open_sources
from backend.methods.pairs import FILTER, spread
from backend.values import Data, Diffuser, Pairs

NOTE = "random weights, plumbing test"
"""What every picture of a pipeline that nobody trained is labelled with."""
_CLIP = "CLIP filter"


class DiffuserParams(Params):
    """Which pipeline, and how it edits."""

    source: str = Field(
        title="Pipeline",
        description="A folder in the diffusers layout, or a hub id such as "
        "timbrooks/instruct-pix2pix.",
    )
    commit: str = Field(
        default="",
        title="Commit",
        description="Commit of a hub id; empty: the one on this computer, else the newest.",
    )
    download: bool = Field(
        default=False,
        title="May download",
        description="Download the pipeline if it is not on this computer; often several GB.",
    )
    steps: int = Field(
        default=50, ge=1, le=1000, title="Steps", description="Denoising steps a picture."
    )
    guidance: float = Field(
        default=7.5, ge=0, le=50, title="Guidance", description="How strongly the prompt pulls."
    )
    image_guidance: float = Field(
        default=1.5,
        ge=1,
        le=20,
        title="Image guidance",
        description="InstructPix2Pix: how strongly the photo holds.",
    )
    strength: float = Field(
        default=0.6,
        gt=0,
        le=1,
        title="Strength",
        description="Image to image: the part of the steps that is done; 1 forgets the photo.",
    )
    negative: str = Field(
        default="", title="Not wanted", description="What the pictures are not to show."
    )
    scheduler: Literal["as saved", "ddim", "euler", "euler ancestral", "dpm++", "unipc", "lcm"] = (
        Field(
            default="as saved",
            title="Scheduler",
            description="How the steps are taken; as saved: what comes with the pipeline.",
            json_schema_extra={
                "labels": {"ddim": "DDIM", "dpm++": "DPM-Solver++", "unipc": "UniPC", "lcm": "LCM"}
            },
        )
    )
    dtype: Literal["float32", "float16", "bfloat16"] = Field(
        default="float32",
        title="Number format",
        description="Of weights and activations; float16 needs a graphics card.",
    )
    size: int | None = Field(
        default=None,
        ge=8,
        le=2048,
        multiple_of=8,
        title="Working size",
        description="Height and width at which it works; empty: as it was made for.",
        json_schema_extra={"unit": "px"},
    )
    seed: int | None = Field(
        default=None, ge=0, title="Seed", description="Of the noise; empty: that of the run."
    )
    random_weights: bool = Field(
        default=False,
        title="Random weights",
        description="Nobody trained this pipeline: label all that it makes as a plumbing test.",
    )


def _pipeline_files(p: DiffuserParams) -> Iterable[Path]:
    """A local folder, or the file in the hub's cache that says which commit is the newest."""
    if Path(p.source).expanduser().is_dir():
        return [Path(p.source).expanduser()]
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface"))
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    return [] if p.commit else [cache / f"models--{p.source.replace('/', '--')}" / "refs" / "main"]


@node("teacher.diffusers", title="Diffusion editor", reads=_pipeline_files)
def diffusers(ctx: Context, p: DiffuserParams) -> Diffuser:
    """A diffusion pipeline that edits photos by a prompt: InstructPix2Pix or image to image.

    The weights stay where they are. Safetensors only; code of a repository is never run.

    Sources: Brooks et al., InstructPix2Pix, CVPR 2023; Meng et al., SDEdit, ICLR 2022
    """
    found = _found(ctx, p)
    name = p.source.rstrip("/").split("/")[-1]
    ctx.log(
        f"{name}: {found.class_name}, {found.bytes / 1e9:.3g} GB, licence {found.licence}, made "
        f"for {found.native_size} px"
    )
    facts = {
        "class": found.class_name,
        "bytes": found.bytes,
        "licence": found.licence,
        "native_size": found.native_size,
    }
    random = "you said so" if p.random_weights else found.random
    if random:
        facts["note"] = NOTE
        ctx.log(f"{name} has random weights ({random}); its pictures mean nothing.", "warning")
    settings = Settings(
        steps=p.steps,
        guidance=p.guidance,
        image_guidance=p.image_guidance,
        strength=p.strength,
        scheduler=p.scheduler,
        dtype=p.dtype,
        size=p.size,
        negative=p.negative,
    )
    return Diffuser(
        found.source,
        found.commit,
        found.digest,
        found.kind,
        asdict(settings),
        seed=ctx.seed if p.seed is None else p.seed,
        label=name,
        facts=facts,
    )


def _found(ctx: Context, p: DiffuserParams) -> Found:
    """Find the pipeline; tell the size and licence before a download begins."""
    try:
        return find_pipeline(p.source, p.commit)
    except DiffusionError:
        if not p.download or Path(p.source).expanduser().is_dir():
            raise
    total, licence = size_on_hub(p.source, p.commit)
    ctx.log(f"{p.source}: downloading {total / 1e9:.2f} GB, licence {licence}")
    return find_pipeline(p.source, p.commit, download=True)


class PromptPairsParams(Params):
    """Which edits, how many pairs, and which are left out."""

    prompts: str = Field(
        default="watercolour: make it a watercolour",
        title="Prompts",
        description='Edits with ";" between: name: prompt, or name: prompt | what is to be seen '
        "then.",
    )
    each: Literal["all", "one"] = Field(
        default="all",
        title="Edits a photo",
        description="Every edit of every photo, or one edit a photo in turn.",
        json_schema_extra={"labels": {"all": "Every edit", "one": "One in turn"}},
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        title="Limit",
        description="At most so many photos in each split; empty: every crop.",
        json_schema_extra={"unit": "images"},
    )
    batch: int = Field(
        default=1,
        ge=1,
        le=64,
        title="Batch size",
        description="Pictures at a time.",
        json_schema_extra={"unit": "images"},
    )
    tries: int = Field(
        default=2,
        ge=1,
        le=100,
        title="Tries",
        description="Seeds to try for a pair that is left out.",
        json_schema_extra={"group": FILTER},
    )
    least_change: float = Field(
        default=2.0,
        ge=0,
        le=255,
        title="Least change",
        description="Pairs that differ less, as a mean over the pixels, are left out.",
        json_schema_extra={"group": FILTER, "unit": "levels"},
    )
    most_change: float = Field(
        default=120.0,
        ge=0,
        le=255,
        title="Most change",
        description="Pairs that differ more are left out.",
        json_schema_extra={"group": FILTER, "unit": "levels"},
    )
    structure: float | None = Field(
        default=0.3,
        ge=-1,
        le=1,
        title="Structure",
        description="Least correlation of the edges of input and target; empty: any.",
        json_schema_extra={"group": FILTER},
    )
    clip: str = Field(
        default="",
        title="CLIP",
        description="Folder or cached hub id of a CLIP network that judges; empty: none.",
        json_schema_extra={"group": _CLIP},
    )
    gain: float = Field(
        default=0.02,
        ge=-1,
        le=1,
        title="Least gain",
        description="Least rise of the similarity to what is to be seen.",
        json_schema_extra={"group": _CLIP},
    )
    direction: float = Field(
        default=0.1,
        ge=-1,
        le=1,
        title="Least direction",
        description="Least agreement of the change of pictures with that of words.",
        json_schema_extra={"group": _CLIP},
    )
    likeness: float = Field(
        default=0.7,
        ge=-1,
        le=1,
        title="Least likeness",
        description="Least similarity of input and target.",
        json_schema_extra={"group": _CLIP},
    )


@dataclass(frozen=True)
class Concept:
    """One edit: its name, the prompt, and a caption of the result."""

    name: str
    prompt: str
    caption: str


@node("data.pairs_by_prompt", title="Pairs by prompt", views=("bars", "table", "histogram"))
def pairs_by_prompt(ctx: Context, p: PromptPairsParams, photos: Data, diffuser: Diffuser) -> Pairs:
    """Let a diffusion pipeline edit every photo as prompts say; each edit is a concept.

    A pair that is left out is tried again with other noise. A stopped run goes on where it was.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3; filters as in Brooks et al., InstructPix2Pix,
    CVPR 2023, sec. 3.1
    """
    concepts = parse_prompts(p.prompts)
    sources = open_sources(photos)
    found = find_pipeline(diffuser.source, diffuser.commit)
    if found.digest != diffuser.digest:
        raise FretsawError(
            f"{diffuser.label} has changed since it was looked at.",
            'Run the node "Diffusion editor" again.',
        )
    editor = Editor(found, Settings(**diffuser.settings), ctx.device)
    note = diffuser.facts.get("note")
    if note:
        ctx.log(f"{diffuser.label}: {note}", "warning")

    def edit(pixels: np.ndarray, jobs: Sequence[Job]) -> tuple[np.ndarray, np.ndarray]:
        return editor(pixels, [job.prompt for job in jobs], [job.seed for job in jobs])

    jobs = _jobs(sources, concepts, p, diffuser.seed)
    options = {
        "teacher": {**asdict(diffuser), "source": diffuser.label},
        "photos": {"title": photos.manifest.title, "source": photos.manifest.options["source"]},
        "prompts": {one.name: one.prompt for one in concepts},
        "seed": diffuser.seed,
        "tries": p.tries,
    }
    if note:
        options["note"] = note
    named = ", ".join(one.name for one in concepts)
    how = Making(
        edit,
        f"{named} by {diffuser.label}" + (f" ({note})" if note else ""),
        Bounds(p.least_change, p.most_change, -1.0 if p.structure is None else p.structure),
        p.batch,
        options,
        judge=_judge(p, concepts, sources) if p.clip else None,
        tries=p.tries,
        again=lambda job, n: replace(job, seed=_seed(diffuser.seed, job, n)),
    )
    return make(ctx, sources, jobs, how)


def parse_prompts(text: str) -> tuple[Concept, ...]:
    """Read ``name: prompt | caption; ...``; the caption is the prompt where there is none.

    Raises:
        FretsawError: a part without a name or prompt, or a name twice.
    """
    found: dict[str, Concept] = {}
    for part in filter(None, (one.strip() for one in text.replace("\n", ";").split(";"))):
        name, colon, rest = (one.strip() for one in part.partition(":"))
        prompt, _, caption = (one.strip() for one in rest.partition("|"))
        if not (colon and name and prompt):
            raise FretsawError(
                f'The edit "{part[:80]}" needs a name and a prompt.',
                'Write it as "watercolour: make it a watercolour".',
            )
        if name in found:
            raise FretsawError(f'Two edits are called "{name}".', "Give each a name of its own.")
        found[name] = Concept(name, prompt, caption or prompt)
    if not found:
        raise FretsawError("There are no prompts.", 'Write "name: prompt".')
    return tuple(found.values())


def _jobs(
    sources: dict[str, PhotoImages],
    concepts: Sequence[Concept],
    p: PromptPairsParams,
    seed: int,
) -> list[Job]:
    jobs = []
    for split, images in sources.items():
        for turn, i in enumerate(spread(len(images), p.limit)):
            chosen = concepts if p.each == "all" else [concepts[turn % len(concepts)]]
            for one in chosen:
                job = Job(split, int(i), int(images.photos[i]), 0, one.prompt, one.name)
                jobs.append(replace(job, seed=_seed(seed, job, 0)))
    return jobs


def _seed(seed: int, job: Job, n: int) -> int:
    """Return the seed of the noise: of the run's seed, the picture, the edit and the try alone."""
    stream = f"edit {job.split} {job.concept}"
    return int(counter.bits(seed, stream, job.index, n)[0] >> np.uint64(33))


def _judge(p: PromptPairsParams, concepts: Sequence[Concept], sources: dict[str, PhotoImages]):
    clip = Clip(p.clip)
    bounds = ClipBounds(p.gain, p.direction, p.likeness)
    captions = {one.name: one.caption for one in concepts}

    def judge(source: np.ndarray, target: np.ndarray, job: Job) -> str:
        before = f"a photo of {sources[job.split].caption(job.index)}"
        return clip_reason(clip.figures(source, target, before, captions[job.concept]), bounds)

    return judge
