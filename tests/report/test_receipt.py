"""A report carries its pipeline, unless it is stripped; dropping the page takes it up again."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.core import events as ev
from backend.core.graph import Graph
from backend.core.run import Run
from backend.report import write
from backend.report.receipt import stripped
from studio.drop_plan import graph_in_page, what_happens
from tests.fakes import call
from tests.report import sample
from tests.report.markup import check

EVIL = "</script><script>alert(1)</script><!--<script>"


def test_the_pipeline_of_a_run_comes_back_from_its_page(tmp_path: Path) -> None:
    document = sample.graph()
    document.add("model.load", "load", file="/home/somebody/weights.pt", builder=EVIL)
    run = sample.new_run(tmp_path, document)
    run.close()
    page = write(run)
    html = page.read_text(encoding="utf-8")
    check(html)
    assert len(check(html).all("script", class_="receipt")) == 1
    found = graph_in_page(html)
    assert found == document.to_json()
    assert Graph.from_json(found).nodes["load"].params["builder"] == EVIL
    plan = what_happens([page])
    assert (plan.action, plan.paths) == ("open_receipt", (page,))


def test_the_recorded_run_comes_back_too(tmp_path: Path) -> None:
    run = Run(Path(__file__).parent.parent / "data" / "run")
    page = write(run, tmp_path / "page.html")
    found = graph_in_page(page.read_text(encoding="utf-8"))
    assert found is not None
    assert Graph.from_json(found).to_json() == run.graph().to_json()


def test_stripped_it_holds_neither_pipeline_nor_log_nor_folders(tmp_path: Path) -> None:
    document = sample.graph()
    places = ["/home/somebody/pictures/net.pt", "C:\\Users\\somebody\\net.pt"]
    document.add("model.load", "load", file=places[0], more={"deep": places})
    run = sample.new_run(tmp_path, document)
    run.append(sample.started(["load"]))
    run.append(ev.Log(node="load", level="info", text="said in the log"))
    run.append(ev.Log(node="load", level="warning", text=f'"{places[0]}" is old.'))
    run.append(ev.NodeFailed(node="load", error=f"No {places[1]}.", details="File /home/somebody"))
    run.close()
    whole = write(run).read_text(encoding="utf-8")
    assert "somebody" in whole
    assert "said in the log" in whole
    page = write(run, tmp_path / "shared.html", strip=True)
    html = page.read_text(encoding="utf-8")
    assert "somebody" not in html
    assert "said in the log" not in html
    assert graph_in_page(html) is None
    assert what_happens([page]).action == "open_in_browser"
    assert "net.pt" in check(html).words
    assert "4f2a91c07be3" in html


@pytest.mark.parametrize("text", ["1/2 of 3/4", "https://a.org/b/c", "and/or", "./here/it.json"])
def test_what_is_no_folder_stays(text: str, tmp_path: Path) -> None:
    run = sample.new_run(tmp_path)
    run.append(ev.Log(node="train", level="warning", text=text))
    run.close()
    from backend.report.digest import read

    assert [note.text for note in stripped(read(run)).notes if note.node] == [text]


def test_the_command_line_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path))
    run = sample.new_run(tmp_path)
    run.close()
    for switch, is_there in (([], True), (["--strip"], False)):
        target = tmp_path / "page.html"
        code, _, err = call("report", run.name, "-o", str(target), *switch)
        assert code == 0, err
        assert (graph_in_page(target.read_text(encoding="utf-8")) is not None) is is_there
