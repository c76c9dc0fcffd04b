"""Parameters that several nodes have in common, so that they are said once and called the same."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

AUGMENTATION = "Augmentation"
OPTIMIZATION = "Optimization"
REGULARIZATION = "Regularization"
SPLIT = "Split"
WITHOUT_DATA = "Without data"

# -- data sets -------------------------------------------------------------------------------------

ValFraction = Annotated[
    float,
    Field(
        gt=0,
        lt=1,
        title="Validation share",
        description="Part of the training pictures kept for validation.",
        json_schema_extra={"group": SPLIT},
    ),
]
TestFraction = Annotated[
    float,
    Field(
        gt=0,
        lt=1,
        title="Test share",
        description="Part of all pictures kept for the test.",
        json_schema_extra={"group": SPLIT},
    ),
]
TrainLimit = Annotated[
    int | None,
    Field(
        ge=1,
        title="Training limit",
        description="At most so many pictures, by class.",
        json_schema_extra={"group": SPLIT, "unit": "images"},
    ),
]
TestLimit = Annotated[
    int | None,
    Field(
        ge=1,
        title="Test limit",
        description="At most so many pictures, by class.",
        json_schema_extra={"group": SPLIT, "unit": "images"},
    ),
]
SplitSeed = Annotated[
    int,
    Field(
        ge=0,
        title="Split seed",
        description="Seed of the split; not that of the run.",
        json_schema_extra={"group": SPLIT},
    ),
]

# -- networks --------------------------------------------------------------------------------------

Classes = Annotated[
    int,
    Field(
        ge=2,
        title="Classes",
        description="Number of classes, if no data is linked.",
        json_schema_extra={"group": WITHOUT_DATA},
    ),
]
Channels = Annotated[
    Literal[1, 3],
    Field(
        title="Channels",
        description="Channels of the pictures, if no data is linked.",
        json_schema_extra={"group": WITHOUT_DATA, "labels": {"1": "Grey", "3": "Colour"}},
    ),
]
Size = Annotated[
    int,
    Field(
        ge=8,
        le=1024,
        title="Picture size",
        description="Height and width of the pictures, if no data is linked.",
        json_schema_extra={"group": WITHOUT_DATA, "unit": "px"},
    ),
]
Normalize = Annotated[
    Literal["unit", "measured"],
    Field(
        title="Pixel values",
        description="Pictures in 0..1 as they are, or standardized: minus the mean and over the "
        "deviation of the linked data.",
        json_schema_extra={"labels": {"unit": "Unit range", "measured": "Standardized"}},
    ),
]

STEMS = {"cifar": "Small pictures", "imagenet": "ImageNet"}
"""What the first layers of a network may be made for."""

# -- training --------------------------------------------------------------------------------------

BatchSize = Annotated[
    int,
    Field(
        ge=2,
        le=4096,
        title="Batch size",
        description="Pictures a step.",
        json_schema_extra={"unit": "images"},
    ),
]
KeptEpoch = Annotated[
    Literal["best", "last"],
    Field(
        title="Kept epoch",
        description="Weights of the best epoch by validation, or of the last.",
    ),
]
Fit = Annotated[
    Literal["crop", "stretch"],
    Field(title="Fit", description="Cut the middle out, or bend the picture to the size."),
]
Flip = Annotated[
    bool,
    Field(
        title="Mirror",
        description="Mirror every second picture.",
        json_schema_extra={"group": AUGMENTATION},
    ),
]
Shift = Annotated[
    int,
    Field(
        ge=0,
        le=64,
        title="Shift",
        description="Largest random shift.",
        json_schema_extra={"group": AUGMENTATION, "unit": "px"},
    ),
]

# -- measuring and exporting -----------------------------------------------------------------------

Threads = Annotated[
    int, Field(ge=1, le=64, title="Threads", description="Threads of ONNX Runtime.")
]
OpenBatch = Annotated[bool, Field(title="Any batch size", description="Leave the batch size open.")]
Checked = Annotated[
    int,
    Field(
        ge=1,
        le=10_000,
        title="Checked on",
        description="Pictures for the check.",
        json_schema_extra={"unit": "images"},
    ),
]
Tolerance = Annotated[
    float | None,
    Field(
        gt=0,
        title="Tolerance",
        description="Largest error allowed; empty: 1e-4 of the largest output.",
    ),
]
