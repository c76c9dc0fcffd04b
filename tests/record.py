"""Records the run and the catalogue in ``tests/data``: ``python -m tests.record`` (minutes)."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from tests.fakes import ROOT, call

DATA = Path(__file__).parent / "data"
_LEFT_OUT = shutil.ignore_patterns("files", "checkpoints", "report.html", "*.lock", "process.json")


def main() -> None:
    """Run the first pipeline with its own settings and keep the run directory."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["FRETSAW_HOME"] = home
        plain = Path(home) / "no-plugins"
        code, out, err = call("catalog", "--json", plugins=plain)
        if code:
            raise SystemExit(err)
        catalog = json.loads(out)
        catalog["key"] = []  # sizes and times of one machine's files
        DATA.mkdir(exist_ok=True)
        (DATA / "catalog.json").write_text(json.dumps(catalog, indent=1) + "\n")
        pipeline = ROOT / "assets" / "pipelines" / "quantize_classifier.json"
        code, out, err = call("run", str(pipeline), "--json", plugins=plain)
        if code:
            raise SystemExit(err)
        run = json.loads(out.strip().split("\n")[-1])["run"]
        shutil.rmtree(DATA / "run", ignore_errors=True)
        shutil.copytree(run, DATA / "run", ignore=_LEFT_OUT)


if __name__ == "__main__":
    main()
