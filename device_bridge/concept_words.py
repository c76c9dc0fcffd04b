"""Words of edits that hold several concepts: one base, a small file for each, mixed on the phone.

An offer lists them; the studio says which one to show, or which two in which share; the phone says
what it shows. Pages before version 2 know none of this and show the base.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from device_bridge.words import Backend, EditId, FileOffer, Message, Milliseconds, Words

PAGE = 2
"""The first version of the page's files that can switch concepts."""
MOST_CONCEPTS = 64
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]{1,120}$")]


class SlotOffer(Words):
    """Where one weight lies in the file of weights, float32: what a concept is added to."""

    name: Name
    shape: list[int] = Field(min_length=1, max_length=4)
    offset: int = Field(ge=0)
    told: bool = Field(default=False, description="Whether it is an input of the graph.")


class ConceptOffer(Words):
    """One concept: its file, one for blends, a sample of its golden output, a small picture."""

    id: EditId
    name: str = Field(max_length=80)
    kind: Literal["base", "adapter"]
    files: list[FileOffer] = Field(min_length=1, max_length=4)
    step: int = Field(default=1, ge=1, le=64, description="Every so many-th golden value.")


class QuickSize(Words):
    """The size of pictures that files of the role ``quick`` compute: fewer pixels, sooner."""

    height: int = Field(ge=8, le=2048)
    width: int = Field(ge=8, le=2048)


class ConceptSet(Words):
    """All concepts of an edit, in their order; the first is shown at first."""

    quick: QuickSize | None = None
    slots: list[SlotOffer] = Field(min_length=2, max_length=256)
    concepts: list[ConceptOffer] = Field(min_length=1, max_length=MOST_CONCEPTS)


class Mix(Words):
    """One concept, or two: (1 - share) of ``first`` and ``share`` of ``second``.

    A share without a second concept means nothing.
    """

    first: EditId
    second: EditId | None = None
    share: Share = 0.0

    @property
    def ids(self) -> tuple[str, ...]:
        """The concepts that it names."""
        return (self.first,) if self.second is None else (self.first, self.second)

    def parts(self) -> list[tuple[str, float]]:
        """Return each concept with its share; one alone where the other has none."""
        if self.second is None or self.second == self.first:
            return [(self.first, 1.0)]
        return [(self.first, 1 - self.share), (self.second, self.share)]


class ShowConcept(Message):
    """Studio to phone: show a concept, or a blend of two; the latest wish wins."""

    t: Literal["concept"] = "concept"
    id: EditId
    first: EditId
    second: EditId | None = None
    share: Share = 0.0

    @property
    def mix(self) -> Mix:
        """What it asks for."""
        return Mix(first=self.first, second=self.second, share=self.share)


class ConceptShown(Message):
    """Phone to studio: the first picture of a concept, or of a blend, is on the screen.

    ``switch_ms`` from wish to painted picture, None where nobody asked; ``gap_ms`` is the longest
    time between painted pictures meanwhile. Where that picture was of a smaller size, the message
    is said again when the first whole one is painted, with ``sharp_ms`` from the wish to it.
    """

    t: Literal["concept"] = "concept"
    id: EditId
    first: EditId
    second: EditId | None = None
    share: Share = 0.0
    backend: Backend
    switch_ms: Milliseconds | None = None
    gap_ms: Milliseconds | None = None
    is_quick: bool = False
    sharp_ms: Milliseconds | None = None
    by: Literal["phone", "studio"] = "phone"

    @property
    def mix(self) -> Mix:
        """What is shown."""
        return Mix(first=self.first, second=self.second, share=self.share)
