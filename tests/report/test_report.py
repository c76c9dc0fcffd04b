from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path

import pytest

from backend.core import events as ev
from backend.core import views as v
from backend.core.graph import Graph
from backend.core.run import Run
from backend.report import markdown, write
from backend.report.digest import read
from backend.report.theme import TOKENS, _scheme, contrast, tokens
from tests.report import payloads, sample
from tests.report.markup import Page, check

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"


def page_of(run: Run) -> Page:
    return check(write(run).read_text(encoding="utf-8"))


def test_a_full_run_shows_everything(tmp_path: Path) -> None:
    run = sample.full_run(tmp_path)
    path = write(run)
    assert path == run.path / "report.html"
    html = path.read_text(encoding="utf-8")
    assert len(html) < 600_000
    page = check(html)
    words = page.words
    for said in (
        "Finished in 3 min 41 s",
        "7 of 7 steps done",
        "4f2a91c07be3",
        "cpu, 2 threads",
        "Float against 8-bit",
        "n = 2,000",
        "Does not hold",
        "Learning rate",
        "How it moved",
        "7 of 20 layers changed",
        "Give it one more integer bit, or raise headroom.",
    ):
        assert said in words
    assert page.ids.count("main") == 1
    assert [f["id"] for f in page.all("section", class_="part")] == [
        "results", "curves", "formats", "views", "pictures", "steps",
    ]  # fmt: skip
    assert len(page.all("img", class_="pixels")) == len(payloads.CLASSES)
    assert len(page.all("img")) == len(payloads.CLASSES) + 1


def test_the_best_cells_are_marked_and_the_others_measured_against_them(tmp_path: Path) -> None:
    run = sample.full_run(tmp_path)
    html = write(run).read_text(encoding="utf-8")
    page = Page(html)
    # Top-1 has one best, size two equal ones, time one; equal MACs mark none.
    assert len(page.all("td", class_="best")) == 4
    assert ">3.9×</small>1.092</td>" in html
    assert ">−0.25</small>90.20</td>" in html
    assert "Size <span>MB</span>" in html
    assert html.index("Float against 8-bit</h3>") < html.index("Kept weights</h3>")
    assert "Cost <span>MMAC</span>" in html


def test_long_tables_that_compare_nothing_stand_folded_after_the_others(tmp_path: Path) -> None:
    run = sample.new_run(tmp_path)
    columns = [v.Column(name="layer"), v.Column(name="bytes", unit="B")]
    long = v.Table(title="All layers", columns=columns, rows=[[f"l{i}", i] for i in range(40)])
    run.append(ev.View(node="profile", view="table", name="layers", data=long))
    run.append(ev.View(node="table", view="table", name="table", data=payloads.comparison()))
    run.close()
    html = write(run).read_text(encoding="utf-8")
    page = check(html)
    assert len(page.all("details", class_="fold")) == 1
    assert html.index("Float against 8-bit</h3>") < html.index("All layers</h3>")
    assert "profile, 40 rows" in page.words


def test_markdown_has_the_same_tables(tmp_path: Path) -> None:
    text = markdown(sample.full_run(tmp_path))
    assert "| Network | Top-1 (%) | Samples | Size (MB) | Cost (MMAC) | Time (ms) |" in text
    assert "| 8-bit F8Net | 90.20 | 2,000 | **0.281** | 31.02 | **1.918** |" in text
    assert "- **holds**: 8-bit accuracy is within 0.3 points of float." in text
    assert "| stem.conv | 8 bit, 1.6, signed True | 8 bit, 2.5, signed True |" in text
    assert "| evaluate | test_top1 | 90.2 | 90.2 | 90.2 | 1 |" in text


def evil_payloads() -> list[v.AnyPayload]:
    return [
        v.Table(title=EVIL, caption=EVIL, columns=[v.Column(name=EVIL, unit=EVIL)], rows=[[EVIL]]),
        v.Verdict(title=EVIL, claim=EVIL, holds=None, evidence={EVIL: 1.0}),
        v.Lines(
            title=EVIL, x_label=EVIL, y_label=EVIL, series=[v.Series(name=EVIL, x=[1, 2], y=[1, 2])]
        ),
        v.Bars(title=EVIL, unit=EVIL, labels=[EVIL], groups={EVIL: [1.0]}),
        v.Bars(title=EVIL, unit=EVIL, labels=[EVIL] * 30, groups={EVIL: [1.0] * 30}),
        v.Strip(title=EVIL, unit=EVIL, low=0, high=1, labels=[EVIL], values=[0.5]),
        v.Histogram(title=EVIL, unit=EVIL, edges=[0, 1], counts=[1], marks={EVIL: 0.5}),
        v.Heatmap(
            title=EVIL, unit=EVIL, rows=[EVIL], columns=[EVIL], row_label=EVIL, values=[[1.0]]
        ),
        v.Heatmap(title=EVIL, rows=[EVIL] * 20, columns=[], values=[[1.0, 2.0]] * 20),
        v.Masks(title=EVIL, masks=[v.Mask(layer=EVIL, shape=[1], density=0.5, cells=[EVIL, "01"])]),
        v.Tiles(
            title=EVIL, unit=EVIL, tiles=[v.Tile(name=EVIL, x=0, y=0, width=1, height=1, text=EVIL)]
        ),
        v.Trace(title=EVIL, time_unit=EVIL, signals=[v.Series(name=EVIL, x=[1, 2], y=[1, 2])]),
        v.Plan(
            title=EVIL,
            unit=EVIL,
            rows=[v.PlanRow(layer=EVIL, before=2, after=1, cost_before=2, cost_after=1)],
        ),
        v.Layers(
            title=EVIL, rows=[v.LayerRow(layer=EVIL, operation=EVIL, edges=[0, 1], counts=[3])] * 2
        ),
    ]


def test_everything_of_the_run_is_escaped(tmp_path: Path) -> None:
    graph = Graph(EVIL)
    graph.add("data.x", "a", {EVIL: EVIL})
    run = Run.create(graph, sample.Workspace(tmp_path))
    run.append(
        ev.RunStarted(
            t=sample.T0, seed=1, device=EVIL, threads=1, nodes=["a", EVIL], commit=EVIL,
            versions={EVIL: EVIL}, inputs={EVIL: EVIL},
        )
    )  # fmt: skip
    run.append(ev.NodeStarted(node=EVIL, fingerprint=EVIL))
    for level in ("info", "warning", "error"):
        run.append(ev.Log(node="a", level=level, text=EVIL))
    run.append(ev.NodeFailed(node=EVIL, error=EVIL, details=EVIL))
    for step in range(60):
        run.append(ev.Metric(node=EVIL, step=step, stage=EVIL, values={EVIL: step % 7}))
    run.append(ev.Metric(node=EVIL, step=0, values={"once" + EVIL: 1.0}))
    for payload in evil_payloads():
        run.append(ev.View(node=EVIL, view=payload.kind, name=payload.kind + EVIL, data=payload))
    run.append(ev.Image(node=EVIL, name=EVIL, path=EVIL))
    run.close()
    html = write(run).read_text(encoding="utf-8")
    check(html)
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert html.count("<script>") == 1
    text = markdown(run)
    assert "<script" not in text
    assert "<img" not in text


def test_a_failed_run_says_what_to_do(tmp_path: Path) -> None:
    run = sample.failed_run(tmp_path)
    page = page_of(run)
    assert "Failed after 1 min 2 s" in page.words
    assert "2 of 7 steps done" in page.words
    assert "Out of memory in train." in page.words
    assert "Needed 2.1 GB, 1.4 GB was free. Halve the batch size." in page.words
    assert read(run).steps["train"].state == "failed"
    assert read(run).steps["f8net"].state == "idle"


def test_a_crashed_and_a_cancelled_run_say_how_to_go_on(tmp_path: Path) -> None:
    crashed = sample.new_run(tmp_path / "a")
    crashed.append(sample.started(["train"]))
    crashed.append(ev.NodeStarted(t=sample.T0 + 1, node="train"))
    crashed.append(ev.Progress(t=sample.T0 + 90, node="train", done=40, total=100))
    crashed.close()
    words = page_of(crashed).words
    assert "Broke off after 1 min 30 s" in words
    assert f"python -m backend resume {crashed.name}" in words
    assert read(crashed).steps["train"].state == "broken off"
    cancelled = sample.new_run(tmp_path / "b")
    cancelled.append(sample.started(["train"]))
    cancelled.append(ev.NodeStarted(t=sample.T0 + 1, node="train"))
    sample.finish(cancelled, "cancelled", 12.0)
    assert "Cancelled after 12 s" in page_of(cancelled).words
    assert read(cancelled).steps["train"].state == "cancelled"


def test_attempts_are_added_up_and_a_mended_error_is_gone(tmp_path: Path) -> None:
    run = sample.new_run(tmp_path)
    run.append(sample.started(["train"], sample.T0))
    run.append(ev.NodeStarted(t=sample.T0 + 1, node="train"))
    run.append(ev.NodeFailed(t=sample.T0 + 30, node="train", error="The disk is full."))
    run.append(sample.started(["train"], sample.T0 + 4000))
    run.append(ev.NodeStarted(t=sample.T0 + 4001, node="train"))
    run.append(ev.NodeFinished(t=sample.T0 + 4020, node="train", seconds=19))
    run.append(ev.RunFinished(t=sample.T0 + 4020, status="finished", seconds=20))
    (run.path / "result.json").write_text('{"status": "finished"}')
    run.close()
    digest = read(run)
    assert digest.attempts == 2
    assert digest.seconds == pytest.approx(50)
    assert digest.notes == []
    assert "disk is full" not in page_of(run).words


def test_an_empty_run_and_a_vanished_one(tmp_path: Path) -> None:
    run = sample.new_run(tmp_path, Graph("nothing"))
    words = page_of(run).words
    assert "Not started" in words
    assert "There is no graph to draw." in words
    assert "There are no steps." in words
    (run.path / "graph.json").write_text("{ torn")
    assert "The graph of this run cannot be read." in page_of(run).words
    gone = write(Run(tmp_path / "gone"), tmp_path / "gone.html")
    check(gone.read_text(encoding="utf-8"))
    assert markdown(Run(tmp_path / "gone")).startswith("# gone")


def test_missing_and_foreign_files_leave_a_sentence(tmp_path: Path) -> None:
    run = sample.new_run(tmp_path)
    run.append(sample.started(["train"]))
    secret = tmp_path / "secret.png"
    secret.write_bytes(sample.png(4, 4, 1))
    views = run.path / "views"
    views.mkdir()
    (views / "torn.json.gz").write_bytes(b"\x1f\x8b\x08\x00torn")
    v.write_payload(views / "whole.json.gz", payloads.comparison())
    for name in (
        "views/gone.json.gz",
        "views/torn.json.gz",
        "../../../secret.png",
        "views/whole.json.gz",
    ):
        run.append(ev.View(node="train", view="table", name=name, path=name))
    (run.path / "note.png").write_text("no picture")
    for name in ("gone.png", "note.png", "../../secret.png", str(secret)):
        run.append(ev.Image(node="train", name=name, path=name))
    run.close()
    page = page_of(run)
    assert 'The file "views/gone.json.gz" is no longer in the run folder.' in page.words
    assert 'The file "views/torn.json.gz" cannot be read.' in page.words
    assert 'The file "../../../secret.png" cannot be read.' in page.words
    assert "8-bit F8Net" in page.words
    assert '"note.png" is not a whole PNG picture.' in page.words
    assert page.all("img") == []


def test_pictures_stop_before_the_page_grows_too_large(tmp_path: Path) -> None:
    run = sample.new_run(tmp_path)
    (run.path / "big.png").write_bytes(sample.png(8, 8, 1) + bytes(950_000))
    run.append(ev.Image(node="train", name="big", path="big.png"))
    sample.add_picture(run, "train", "small", 1)
    run.close()
    page = page_of(run)
    assert "is left out to keep this page small" in page.words
    assert len(page.all("img")) == 1


def test_20000_metrics_stay_small_and_keep_their_extremes(tmp_path: Path) -> None:
    run = sample.new_run(tmp_path)
    run.append(sample.started(["train", "f8net"]))
    lines = []
    for step in range(10_000):
        for node in ("train", "f8net"):
            loss = 777.0 if (step, node) == (4321, "train") else 1 + math.sin(step * 1.7) / 9
            values = {"loss": loss, "lr": 0.1 * 0.999**step}
            lines.append(ev.to_line(ev.Metric(node=node, step=step, values=values)))
    with open(run.path / "events.jsonl", "a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    run.close()
    began = time.monotonic()
    path = write(run)
    assert time.monotonic() - began < 8
    assert path.stat().st_size < 500_000
    page = check(path.read_text(encoding="utf-8"))
    assert "777" in page.words
    assert "1 value lies outside the plot" in page.words
    for text in (text for tag, text in page.texts if tag == "script" and text.startswith("{")):
        assert all(len(curve["x"]) <= 400 for curve in json.loads(text)["c"])


def test_values_that_are_no_numbers(tmp_path: Path) -> None:
    run = sample.new_run(tmp_path)
    run.append(sample.started(["train"]))
    for step in range(50):
        value = {3: math.nan, 7: math.inf, 9: -math.inf, 11: 1e308, 12: -1e308}.get(
            step, 1.0 / (step + 1)
        )
        run.append(
            ev.Metric(node="train", step=step, values={"loss": value, "tiny": 5e-324 * step})
        )
    run.append(ev.Metric(node="train", step=10**18, values={"loss": 1.0}))
    for step in range(3):
        run.append(ev.Metric(node="train", step=step, values={"void": math.nan}))
    run.close()
    html = write(run).read_text(encoding="utf-8")
    page = check(html)
    assert "3 values are not finite, the first at step 3." in page.words
    for path in (f["d"] for tag, f in page.elements if tag == "path" and "d" in f):
        assert "nan" not in path
        assert "inf" not in path
    markdown(run)


def test_warnings_are_counted_not_repeated(tmp_path: Path) -> None:
    run = sample.new_run(tmp_path)
    run.append(sample.started(["train"]))
    for _ in range(40):
        run.append(
            ev.Log(node="train", level="warning", text="Loss rose. Lower the learning rate.")
        )
    run.close()
    notes = [note for note in read(run).notes if note.level == "warning"]
    assert [note.count for note in notes] == [40]
    assert "40 times" in page_of(run).words


def test_the_script_breaks_out_of_no_element(tmp_path: Path) -> None:
    run = sample.new_run(tmp_path)
    for step in range(5):
        run.append(ev.Metric(node="train", step=step, values={"</script><b>loss": 1.0 * step}))
    run.close()
    page = page_of(run)
    data = next(text for tag, text in page.texts if tag == "script" and text.startswith("{"))
    assert json.loads(data)["c"][0]["n"] == "train </script><b>loss"


def test_colours_come_from_the_tokens_only() -> None:
    folder = TOKENS.parents[1] / "backend" / "report"
    for file in [*folder.glob("*.py"), *folder.glob("*.css"), *folder.glob("*.js")]:
        assert not re.findall(r"#[0-9A-Fa-f]{6}\b|\brgb\(", file.read_text(encoding="utf-8")), file
    style = (folder / "style.css").read_text(encoding="utf-8")
    used = set(re.findall(r"var\(--([a-z0-9-]+)", style))
    rules = write_rules()
    own = set(re.findall(r"--([a-z0-9-]+):", style)) | {"h", "yw", "xh", "nw", "least"}
    assert used - own <= rules


def write_rules() -> set[str]:
    from backend.report.theme import css_variables

    return set(re.findall(r"--([a-z0-9-]+):", css_variables()))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(scheme: str) -> None:
    colors = _scheme(scheme)
    for ground in ("panel", "card", "bench", "field", "hover", "selected"):
        assert contrast(colors["ink"], colors[ground]) >= 4.5
        assert contrast(colors["muted"], colors[ground]) >= 4.5
    for name in ("heat", "diff"):
        for level in range(16):
            assert contrast(colors[f"{name}{level}t"], colors[f"{name}{level}"]) >= 4.5
    assert contrast(colors["ink"], colors["model-tint"]) >= 4.5
    stated = tokens()["contrast"][scheme]["ink"]["panel"]
    assert contrast(colors["ink"], colors["panel"]) == pytest.approx(stated, abs=0.01)
