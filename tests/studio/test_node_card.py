"""Cards: measures of the look, every state, and what they say of a node."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from backend.core.catalog import Catalog
from studio.editor.card_preview import Preview, paint_preview
from studio.editor.faces import duration, figure
from studio.editor.node_card import NodeFace, card_plan, paint_card, plan_of
from studio.editor.ports import PortFace, paint_port, port_face
from studio.editor.previews import POINTS, curve
from studio.editor.summaries import summary_of
from studio.theme import theme
from studio.tokens import token, tokens

INS = (PortFace("model", "Model", "input"), PortFace("data", "Data", "input"))
OUTS = (PortFace("model", "Classifier", "output"),)
STATES = [state for state in tokens()["states"] if state != "masked_only"] + ["crashed"]
WORDS = Preview("words", "curve appears here")


def painted(face: NodeFace, detail: int = 2) -> QImage:
    """Paint a card at 1:1 with 8 pixels around it."""
    plan = plan_of(face)
    image = QImage(208, round(plan.height) + 16, QImage.Format.Format_RGB32)
    image.fill(theme().color("bench"))
    painter = QPainter(image)
    painter.translate(8, 8)
    paint_card(painter, face, plan, detail=detail)
    painter.end()
    return image


def colors(image: QImage) -> set[str]:
    """All colours of a picture."""
    return {
        image.pixelColor(x, y).name() for y in range(image.height()) for x in range(image.width())
    }


def test_measures_of_the_look() -> None:
    plan = card_plan(INS, OUTS, True)
    assert plan.height == 1 + 40 + 2 + 8 + 2 * 22 + 48 + 4 + 25 + 1
    assert plan.spots[0].center == QPointF(0, 58)
    assert plan.spots[1].center == QPointF(0, 80)
    assert plan.spots[2].center == QPointF(191, 58)
    assert card_plan(INS, OUTS, True) is plan
    assert card_plan(INS, OUTS, True, True).height == plan.height + 6
    assert card_plan(INS, OUTS, False).height == plan.height - 52


@pytest.mark.parametrize("mode", ["dark", "light"])
def test_border_has_the_colour_of_the_state(mode: str) -> None:
    theme().choose(mode)
    for state in STATES:
        check_border(state)


def check_border(state: str) -> None:
    """Compare the upper edge of a card in a state with the look."""
    face = NodeFace("Train", state=state, percent=0.5, preview=WORDS, inputs=INS, outputs=OUTS)
    image = painted(face)
    border = image.pixelColor(8 + 96, 8).name()
    expected = {
        "running": "blade",
        "cancelling": "blade",
        "failed": "bad",
        "crashed": "bad",
    }.get(state)
    if expected:
        assert border == theme().color(expected).name()
    elif state == "warning":
        assert border == theme().color("link_idle", "warn").name()
    else:
        assert border == theme().color("line").name()


def test_kerf_is_cut_as_far_as_the_node_is() -> None:
    face = NodeFace("Train", state="running", percent=0.5, inputs=INS)
    image = painted(face)
    y = 8 + 42
    assert image.pixelColor(8 + 90, y) == theme().color("blade")
    assert image.pixelColor(8 + 110, y) == theme().color("line")


def test_masked_only_is_striped() -> None:
    plain = NodeFace("Prune", state="done", inputs=INS)
    masked = NodeFace("Prune", state="done", inputs=INS, masked_only=True)
    image = painted(masked)
    row = round(plan_of(masked).stripe.center().y()) + 8  # type: ignore[union-attr]
    found = [image.pixelColor(8 + x, row).name() for x in range(20, 170)]
    assert theme().color("warn").name() in found
    assert theme().color("card").name() in found
    assert theme().color("warn").name() not in colors(painted(plain))


def test_less_is_painted_from_afar() -> None:
    face = NodeFace(
        "Train",
        "SGD",
        state="failed",
        left="out of memory",
        preview=WORDS,
        inputs=INS,
        outputs=OUTS,
    )
    whole, head, block = (painted(face, detail) for detail in (2, 1, 0))
    assert len(colors(whole)) > len(colors(head)) > len(colors(block))
    middle = block.pixelColor(104, 80)
    assert middle == theme().mix("bench", theme().color("bad"), 0.62)


def test_badge_counts_problems() -> None:
    face = NodeFace("Train", state="warning", problems=2, has_error=True)
    with_badge, without = painted(face), painted(NodeFace("Train", state="warning"))
    assert with_badge != without
    assert with_badge.pixelColor(8 + 190, 8 + 0) != without.pixelColor(8 + 190, 8 + 0)


def test_words_for_those_who_hear() -> None:
    face = NodeFace("Train", "SGD", "float", state="running", left="62 %", problems=1)
    assert face.words == "Train float, running, 62 %, SGD, 1 problem"
    assert NodeFace("Train", bypass=True).words == "Train, bypassed, not run"


def port_picture(name: str, state: Any = "on") -> QImage:
    """Paint one port, 14 pixels large."""
    image = QImage(24, 24, QImage.Format.Format_RGB32)
    image.fill(theme().color("bench"))
    painter = QPainter(image)
    paint_port(painter, name, QPointF(12, 12), 14, state)
    painter.end()
    return image


def test_ports_have_the_hue_of_their_family() -> None:
    for name in (*tokens()["types"], "Cost", ""):
        hue = theme().type_name(name)
        assert theme().color(hue).name() in colors(port_picture(name))
        assert theme().color(hue).name() in colors(port_picture(name, "open"))
        assert theme().color("link_dim", hue).name() in colors(port_picture(name, "dim"))


def test_no_two_types_look_alike_even_without_colour() -> None:
    seen = {}
    for name in tokens()["types"]:
        image = port_picture(name).convertToFormat(QImage.Format.Format_Grayscale8)
        light = [image.pixelColor(x, y).lightness() for y in range(24) for x in range(24)]
        middle = (min(light) + max(light)) * 0.6
        seen[name] = tuple(value > middle for value in light)
    assert len(set(seen.values())) == len(seen)


def test_port_of_a_union_shows_a_known_type(recorded_catalog: Catalog) -> None:
    spec = recorded_catalog.nodes["train.classifier"]
    assert port_face(spec.inputs[0], "input").type == "Classifier"
    assert port_face(spec.outputs[0], "output").type == "Classifier"


# -- wells -----------------------------------------------------------------------------------------

PREVIEWS = [
    WORDS,
    Preview("sentence", "Needed 2.1 GB, 1.4 GB was free. " * 6),
    Preview("curve", values=(0.0, 0.5, 1.0), smooth=(0.0, 0.4, 0.9)),
    Preview("bars", values=(0.2, 1.0, 0.5)),
    Preview("bits", bits=((1, 2, 5), (1, 0, 7))),
    Preview("heat", rows=((0.0, 1.0), (0.5, 0.2))),
]


def test_wells_show_something_inside_themselves() -> None:
    for preview in PREVIEWS:
        check_well(preview)


def check_well(preview: Preview) -> None:
    """Paint a well and look inside and around it."""
    image = QImage(190, 64, QImage.Format.Format_RGB32)
    image.fill(QColor("magenta"))
    painter = QPainter(image)
    paint_preview(painter, QRectF(8, 8, 174, 48), preview, "good")
    painter.end()
    outside = {image.pixelColor(x, y).name() for x in range(190) for y in (2, 61)}
    assert outside == {QColor("magenta").name()}
    assert len(colors(image)) > 3


def test_missing_picture_is_an_empty_well() -> None:
    image = QImage(190, 64, QImage.Format.Format_RGB32)
    image.fill(theme().color("card"))
    painter = QPainter(image)
    paint_preview(painter, QRectF(8, 8, 174, 48), Preview("picture", path="/nowhere.png"), "good")
    painter.end()
    assert image.pixelColor(95, 32) == theme().color("field")


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=400))
def test_curves_are_shares_of_one(values: list[float]) -> None:
    made = curve(values)
    for share in (*made.values, *made.smooth):
        assert -1e-9 <= share <= 1 + 1e-9
    assert len(made.smooth) <= POINTS


# -- words -----------------------------------------------------------------------------------------


SUMMARIES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("quantize.f8net", {}, "8 bit, conventional"),
    ("quantize.f8net", {"bits": 4, "granularity": "channel"}, "4 bit, channel"),
    ("quantize.f8net", {"mode": "fine_tune"}, "brief tuning, 8 bit"),
    ("quantize.f8net", {"std_source": "raw_input", "bits": 8}, "what arrives, layer"),
    ("train.classifier", {"epochs": 8, "optimizer": "sgd"}, "8 epochs, batch 128"),
    ("train.classifier", {"optimizer": "adam", "flip": False}, "adam, no flip"),
    ("model.resnet", {"depth": 8, "width": 16}, "depth 8, width 16"),
    ("model.load", {"file": "/a/long/path/net.pt"}, "net.pt, 10 classes"),
    ("cost.macs", {}, ""),
)


def test_summaries(recorded_catalog: Catalog) -> None:
    for type_id, params, expected in SUMMARIES:
        assert summary_of(recorded_catalog.nodes[type_id].params, params) == expected


def test_every_summary_is_short(recorded_catalog: Catalog) -> None:
    for spec in recorded_catalog.nodes.values():
        assert len(summary_of(spec.params, {})) <= 24


def test_durations_and_figures() -> None:
    assert duration(0.01) == "under 0.1 s"
    assert duration(0.4) == "0.4 s"
    assert duration(41) == "41 s"
    assert duration(130) == "2 min 10 s"
    assert duration(120) == "2 min"
    assert duration(11100) == "3 h 5 min"
    assert figure("val_top1", 90.42) == "top-1 90.4 %"
    assert figure("ort_ms", 0.2461) == "0.246 ms"
    assert figure("params", 77754) == "params 77,754"
    assert figure("loss", float("nan")) == "loss is not finite"
    assert token("node.width") == 192
