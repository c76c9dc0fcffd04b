"""One view of every kind, made up by formulas."""

from __future__ import annotations

import math
import random

from backend.core import views as v

LAYERS = ["stem.conv"] + [f"{s}.{b}.conv{c}" for s in range(3) for b in range(3) for c in (1, 2)]
LAYERS.append("fc")
CLASSES = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag"]
CLASSES.append("Ankle boot")


def layer_rows(look: int) -> v.Layers:
    noise = random.Random(5)
    rows = []
    for index, name in enumerate(LAYERS):
        spread = 0.32 * 0.93**index * (1 + 0.2 * noise.random())
        fraction = 6 + (index > 5) + (index > 14) - (look < 4 and index % 3 == 0)
        edges = [-4 * spread + 8 * spread * k / 32 for k in range(33)]
        counts = [
            900 * math.exp(-(((edges[k] + edges[k + 1]) / 2 / spread) ** 2) / 2) for k in range(32)
        ]
        rows.append(
            v.LayerRow(
                layer=name,
                operation="linear" if name == "fc" else "conv 3x3",
                weight=v.NumberFormat(bits=8, signed=True, fraction=fraction),
                input=v.NumberFormat(
                    bits=8, signed=index == 0, fraction=5 - (index > 9) + (look > 8 and index == 3)
                ),
                weight_clipped=0.0002 * (index % 5) + (0.0184 if index == 6 else 0),
                input_clipped=0.0011 * (index % 4),
                headroom_bits=0.1 + 0.07 * (index % 9),
                clip_level=None if index == 0 else 1.5 + 0.2 * (index % 6),
                edges=edges,
                counts=[round(c) for c in counts],
            )
        )
    return v.Layers(
        title="Fixed-point formats",
        caption="Formats that F8Net chose by the standard deviation of each tensor.",
        rows=rows,
    )


def comparison() -> v.Table:
    return v.Table(
        title="Float against 8-bit",
        caption="Test set touched once. Time: ONNX Runtime, 1 thread, median of 50 runs, batch 1.",
        columns=[
            v.Column(name="Network"),
            v.Column(name="Top-1", unit="%", better="higher"),
            v.Column(name="Samples"),
            v.Column(name="Size", unit="bytes", better="lower"),
            v.Column(name="Cost", unit="MACs", better="lower"),
            v.Column(name="Time", unit="ms", better="lower"),
        ],
        rows=[
            ["float32", 90.45, 2000, 1_092_104, 31_021_056, 3.124],
            ["8-bit F8Net", 90.2, 2000, 281_332, 31_021_056, 1.918],
            ["8-bit rounding", 89.7, 2000, 281_332, 31_021_056, 1.921],
        ],
    )


Named = tuple[str, v.AnyPayload]


def _results() -> list[Named]:
    return [
        (
            "verdict",
            v.Verdict(
                title="Accuracy kept",
                claim="8-bit accuracy is within 0.3 points of float.",
                holds=True,
                evidence={"float top-1 %": 90.45, "8-bit top-1 %": 90.2, "difference": -0.25},
                samples=2000,
            ),
        ),
        (
            "parity",
            v.Verdict(
                title="Parity",
                claim="ONNX Runtime gives what torch gives.",
                holds=False,
                evidence={"largest difference": 0.069, "allowed": 1e-5},
                samples=64,
            ),
        ),
        ("table", comparison()),
    ]


def _plots() -> list[Named]:
    return [
        (
            "lines",
            v.Lines(
                title="Error against word length",
                x_label="bits",
                y_label="mean squared error",
                log_y=True,
                series=[
                    v.Series(
                        name="weights", x=[3, 4, 5, 6, 7, 8], y=[4.0**-b for b in range(3, 9)]
                    ),
                    v.Series(name="inputs", x=[3, 4, 5, 6, 7, 8], y=[3.0**-b for b in range(3, 9)]),
                ],
            ),
        ),
        (
            "bars",
            v.Bars(
                title="Accuracy by class",
                unit="%",
                labels=CLASSES,
                groups={
                    "float": [80.5 + i * 1.7 for i in range(10)],
                    "8-bit": [80.1 + i * 1.68 for i in range(10)],
                },
            ),
        ),
        (
            "many bars",
            v.Bars(
                title="Time by layer",
                unit="ms",
                labels=LAYERS,
                groups={"": [0.05 + 0.3 * abs(math.sin(i)) for i in range(len(LAYERS))]},
            ),
        ),
        (
            "strip",
            v.Strip(
                title="Clip levels",
                low=0,
                high=6,
                labels=LAYERS[:12],
                values=[1 + 0.4 * i for i in range(12)],
            ),
        ),
        (
            "histogram",
            v.Histogram(
                title="Logit margins",
                unit="logit",
                edges=[i / 4 for i in range(41)],
                counts=[1200 * math.exp(-(((i - 16) / 8) ** 2)) for i in range(40)],
                marks={"median": 4.1, "tenth": 1.6},
            ),
        ),
    ]


def _matrices() -> list[Named]:
    noise = random.Random(3)
    confusion = [[noise.randrange(0, 12) for _ in CLASSES] for _ in CLASSES]
    for i in range(10):
        confusion[i][i] = 160 + noise.randrange(0, 40)
    return [
        (
            "heatmap",
            v.Heatmap(
                title="Confusion",
                caption="Rows: true class. Columns: predicted class.",
                row_label="true",
                column_label="predicted",
                unit="pictures",
                rows=CLASSES,
                columns=CLASSES,
                values=[[float(c) for c in row] for row in confusion],
            ),
        ),
        (
            "large heatmap",
            v.Heatmap(
                title="Weight differences",
                rows=[],
                columns=[],
                values=[
                    [math.sin(i / 9) * math.cos(j / 14) for j in range(200)] for i in range(64)
                ],
            ),
        ),
        (
            "masks",
            v.Masks(
                title="Kept weights",
                masks=[
                    v.Mask(
                        layer=n,
                        shape=[16, 16, 3, 3],
                        density=0.1 + 0.05 * i,
                        grown=12 * i,
                        dropped=12 * i,
                        overlap=0.9,
                        cells=[
                            "".join("01"[noise.random() < 0.3] for _ in range(48))
                            for _ in range(16)
                        ],
                    )
                    for i, n in enumerate(LAYERS[:5])
                ],
            ),
        ),
    ]


def _structures() -> list[Named]:
    x = [i / 20 for i in range(200)]
    return [
        (
            "tiles",
            v.Tiles(
                title="Floor plan",
                unit="% used",
                tiles=[
                    v.Tile(
                        name=f"conv{i}",
                        x=(i % 4) * 64,
                        y=(i // 4) * 32,
                        width=64 if i % 3 else 48,
                        height=32,
                        value=40 + 5.0 * i,
                    )
                    for i in range(12)
                ],
            ),
        ),
        (
            "trace",
            v.Trace(
                title="Read cycle",
                time_unit="ns",
                signals=[
                    v.Series(name="WL", x=x, y=[1.2 * (2 < t < 6) for t in x]),
                    v.Series(
                        name="BL",
                        x=x,
                        y=[0.8 - 0.5 * (t > 2.5) * (1 - math.exp(-(t - 2.5))) for t in x],
                    ),
                    v.Series(name="ADC", x=x, y=[math.floor(t * 1.6) for t in x]),
                ],
            ),
        ),
        (
            "plan",
            v.Plan(
                title="Channels to keep",
                target=16e6,
                rows=[
                    v.PlanRow(
                        layer=n,
                        before=16 * (1 + i // 3),
                        after=8 * (1 + i // 3) + i % 5,
                        cost_before=3.2e6,
                        cost_after=1.4e6 + 1e5 * i,
                        scores=[math.exp(-k / 6) for k in range(16)],
                    )
                    for i, n in enumerate(LAYERS[:8])
                ],
            ),
        ),
    ]


def every_view() -> list[Named]:
    return [*_results(), *_plots(), *_matrices(), *_structures()]
