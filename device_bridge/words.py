"""What all messages of the bridge are made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(max_length=400)]
Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EditId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Milliseconds = Annotated[float, Field(ge=0, le=3_600_000, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class ProtocolError(ValueError):
    """A message that cannot be taken; the text says what is wrong with it."""


class Words(BaseModel):
    """A frozen record that ignores fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Message(Words):
    """A message of the protocol, version 1."""

    v: Literal[1] = 1


class FileOffer(Words):
    """One file of an edit, fetched by its hash from ``/model/<sha256>``."""

    role: Literal["graph", "weights", "golden", "thumb", "switch", "quick", "adapter", "blend"]
    sha256: Sha
    bytes: int = Field(ge=1, le=512 * 1024 * 1024)
    path: str = Field(
        default="", max_length=200, description="Name by which the graph refers to its weights."
    )


Backend = Literal["wasm-1", "wasm-2", "wasm-4", "webgpu", "desktop"]
"""What computes: WASM with 1, 2 or 4 threads, WebGPU, or the desktop for a phone that cannot."""
