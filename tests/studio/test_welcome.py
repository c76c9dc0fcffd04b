"""The welcome page: buttons, recents, example cards, what ended meanwhile."""

from __future__ import annotations

import json
import os
from datetime import datetime

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter
from PySide6.QtTest import QTest

from backend.core.graph import Graph
from studio.docks import cards
from studio.docks.example_card import ExampleCard, fitted
from studio.docks.graph_list import ROW
from studio.docks.welcome import WelcomeWidget
from studio.docks.welcome_runs import ended_since, figure_of, last_of_each, standing
from studio.docks.while_away import Ended, LastSeen, moment
from studio.recent import RecentFiles
from studio.run_row import RunRow
from studio.theme import theme
from studio.tokens import ASSETS


@pytest.fixture
def page(session, qtbot):
    made = WelcomeWidget(session, RecentFiles(session.workspace))
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.show()
    return made


def heard(signal):
    found = []
    signal.connect(lambda *values: found.append(values))
    return found


def test_every_button_is_a_signal(page):
    for button, signal in (
        (page.side.new_button, page.new_graph),
        (page.side.open_button, page.open_dialog),
        (page.side.load_button, page.load_model),
    ):
        found = heard(signal)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        assert found == [()]
        QTest.keyClick(button, Qt.Key.Key_Space)
        assert len(found) == 2


def test_only_pipelines_that_exist_have_a_card(page):
    files = sorted((ASSETS / "pipelines").glob("*.json"))
    assert sorted(card.example.path for card in page.main.cards) == files
    found = heard(page.open_pipeline)
    QTest.mouseClick(page.main.cards[0], Qt.MouseButton.LeftButton)
    assert found == [(str(page.main.cards[0].example.path),)]


def test_a_card_says_minutes_data_and_steps(page):
    card = next(c for c in page.main.cards if c.example.path.stem == "quantize_classifier")
    example = card.example
    assert (example.title, example.data) == ("Quantize a classifier", "Fashion-MNIST")
    assert example.picture in cards.PICTURES
    assert f"about {example.minutes:g} min, Fashion-MNIST" in card.accessibleDescription()
    assert example.steps[:4] == [
        "data.fashion_mnist", "model.resnet", "train.classifier", "quantize.f8net",
    ]  # fmt: skip


def test_every_example_has_a_picture_of_its_own(page):
    names = [card.example.picture for card in page.main.cards]
    assert set(names) <= set(cards.PICTURES)
    assert len(set(names)) == len(names)


def test_four_cards_make_a_square(page):
    main = page.main
    for card in main.cards[4:]:
        card.hide()
    main.cards = main.cards[:4]
    main._reflow()
    QTest.qWait(0)
    places = [(card.x(), card.y()) for card in main.cards]
    assert len({x for x, _ in places}) == len({y for _, y in places}) == 2


def test_files_that_are_no_pipelines_have_no_card(tmp_path):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    graph = Graph("plain")
    graph.add("data.digits")
    graph.metadata = {"minutes": "soon", "picture": 3}
    graph.save(tmp_path / "plain.json")
    found = cards.examples(tmp_path, {"data.digits": "Digits"})
    assert [(e.title, e.text, e.minutes, e.data) for e in found] == [("plain", "", 0.0, "Digits")]
    assert cards.examples(tmp_path / "none", {}) == []


@pytest.mark.parametrize("width", [1100, 1500, 1920])
@pytest.mark.parametrize("scale", [0.9, 1.5])
def test_nothing_is_cut_off(page, width, scale):
    theme().choose(scale=scale)
    page.resize(width, 1000)
    QTest.qWait(0)
    main = page.main
    for card in main.cards:
        assert card.geometry().left() >= 24
        assert card.geometry().right() <= page.area.viewport().width() - 24
        assert card.height() >= card.sizeHint().height()
    assert page.area.horizontalScrollBar().maximum() == 0
    assert page.side.width() <= width * 0.45


def test_one_card_is_wide_and_several_share_the_row(page, qtbot):
    example = page.main.cards[0].example
    page.main.cards[0].set_wide(False)
    page.main._reflow()
    assert page.main.cards[0].wide == (len(page.main.cards) == 1)
    for _ in range(2):
        card = ExampleCard(example, {}, page.main)
        page.main.cards.append(card)
        card.show()
    page.main._reflow()
    QTest.qWait(0)
    assert not any(card.wide for card in page.main.cards)
    tops = [card.y() for card in page.main.cards]
    assert tops[0] == tops[1]


def test_recent_graphs_are_listed_and_opened(page, session, tmp_path):
    here, gone = tmp_path / "here.json", tmp_path / "gone.json"
    here.write_text("{}")
    for path in (gone, here):
        page._recent.add(path)
    rows = page.side.model.rows
    assert [(row.title, row.exists) for row in rows] == [("here", True), ("gone", False)]
    assert rows[1].when == "file is no longer there"
    found = heard(page.open_file)
    view = page.side.list
    for row in (1, 0):
        spot = view.visualRect(page.side.model.index(row, 0)).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert found == [(str(here),)]
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert len(found) == 2
    QTest.mouseClick(page.side.clear_button, Qt.MouseButton.LeftButton)
    assert not page.side.model.rows
    assert page.side._none.isVisible()


def test_a_recent_graph_tells_its_last_run(page, session, recorded_run, qtbot, tmp_path):
    path = tmp_path / "quantize-classifier.json"
    path.write_text("{}")
    page._recent.add(path)
    session.runner.index.refresh()
    qtbot.waitUntil(lambda: bool(session.runner.index.rows), timeout=5000)
    qtbot.waitUntil(lambda: page.side.model.rows[0].state.endswith("%"), timeout=5000)
    assert page.side.model.rows[0].color == "good"
    spoken = page.side.model.index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert page.side.model.rows[0].state in spoken
    assert page.side.model.index(0, 0).data(ROW).path == path


ROWS = [
    RunRow("a", "net", "finished", 100, 50, last={"float_test.top1": 84.8, "qdq_test.top1": 84.5}),
    RunRow("b", "net", "failed", 300, 5, error="Train: loss became NaN.", set={"f8net.bits": 4}),
    RunRow("c", "other", "cancelled", 300, 70),
    RunRow("d", "net", "running", 400, 1000),
    RunRow("e", "plain", "finished", 10, 12, last={"x.loss": 0.2}),
]


def test_only_runs_that_ended_since_then_count():
    found = ended_since(ROWS, 160)
    assert [run.name for run in found] == ["c", "b"]
    assert found[1] == Ended("b", "net, bits 4", "failed", "Train: loss became NaN.", True, 305)
    assert [run.name for run in ended_since(ROWS, 0)] == ["c", "b", "a", "e"]


def test_a_figure_has_its_rival():
    assert figure_of(ROWS[0]) == ("84.5 %", "float_test 84.8 %")
    assert figure_of(ROWS[4]) == ("", "")
    assert ended_since([ROWS[4]], 0)[0].figure == "done"


def test_how_a_graph_stands():
    newest = last_of_each(ROWS)
    assert newest["net"].name == "d"
    assert standing(newest["net"]) == ("running", "blade")
    assert standing(ROWS[0]) == ("84.5 %", "good")
    assert standing(ROWS[1]) == ("failed", "bad")
    assert standing(None) == ("", "muted")


def test_while_you_were_away(page, session):
    card = page.main.away
    assert not card.isVisible()
    page.main.show_away(ended_since(ROWS, 0), datetime(2026, 1, 2, 18, 20).timestamp())
    assert card.isVisible()
    assert card._count.text().startswith("4 runs ended since ")
    acted = heard(session.acted)
    QTest.mouseClick(card.compare_button, Qt.MouseButton.LeftButton)
    assert set(session.marked) == {"a", "b", "c", "e"}
    assert acted == [("workspace_compare", {})]
    QTest.mouseClick(card.dismiss_button, Qt.MouseButton.LeftButton)
    assert not card.isVisible()
    page.refresh()
    assert not card.isVisible()


def test_when_it_was_last_open_is_remembered(page, workspace):
    assert LastSeen(workspace.root).at is None
    page.note_seen()
    assert LastSeen(workspace.root).at == pytest.approx(datetime.now().timestamp(), abs=60)
    (workspace.root / "studio" / "last_seen.json").write_text(json.dumps([1]))
    assert LastSeen(workspace.root).at is None


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ((2026, 11, 24, 14, 6), "today 14:06"),
        ((2026, 11, 23, 18, 20), "yesterday 18:20"),
        ((2026, 11, 22, 9, 0), "Sunday 09:00"),
        ((2026, 11, 12, 9, 0), "12 Nov"),
        ((2025, 3, 4, 9, 0), "4 Mar 2025"),
    ],
)
def test_moments_in_words(when, words):
    assert moment(datetime(*when), datetime(2026, 11, 24, 15, 0)) == words


def test_the_picture_obeys_the_format_that_it_names():
    step = 2.0**-cards.FRACTION_BITS
    for n in range(101):
        value = cards.curve(n / 100)
        assert abs(value) < 0.6
        rounded = cards.fixed_point(value)
        assert abs(rounded - value) <= step / 2
        assert (rounded / step).is_integer()
    assert cards.fixed_point(100.0) == 127 * step
    assert cards.fixed_point(-100.0) == -128 * step


@pytest.mark.parametrize("name", [*cards.PICTURES, ""])
@pytest.mark.parametrize("mode", ["dark", "light", "contrast"])
def test_every_picture_paints_more_than_its_ground(page, name, mode):
    from dataclasses import replace

    theme().choose(mode)
    example = replace(page.main.cards[0].example, picture=name)
    image = QImage(372, 152, QImage.Format.Format_RGB32)
    image.fill(QColor("magenta"))
    painter = QPainter(image)
    cards.paint_picture(painter, QRectF(image.rect()), example)
    painter.end()
    seen = {image.pixel(x, y) for x in range(0, 372, 3) for y in range(0, 152, 3)}
    assert QColor("magenta").rgb() not in seen
    assert len(seen) > 2


def test_text_is_cut_at_a_word(page):
    metrics = QFontMetricsF(theme().font("body"))
    rect = QRectF(0, 0, 200, 2 * metrics.lineSpacing())
    text = fitted("one two three " * 30, metrics, rect)
    assert text.endswith(" ...")
    assert fitted("short", metrics, rect) == "short"


def test_tab_reaches_the_cards(page):
    assert all(card.focusPolicy() & Qt.FocusPolicy.TabFocus for card in page.main.cards)
    found = heard(page.open_pipeline)
    page.main.cards[0].setFocus()
    QTest.keyClick(page.main.cards[0], Qt.Key.Key_Space)
    assert len(found) == 1
    assert os.path.isfile(found[0][0])
