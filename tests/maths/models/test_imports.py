"""What importing the package costs: nothing optional is loaded before it is used."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import backend.models

OPTIONAL = {
    "transformers",
    "huggingface_hub",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "sklearn",
    "skimage",
}


def test_no_module_loads_optional_libraries() -> None:
    names = [f"backend.models.{one.name}" for one in pkgutil.iter_modules(backend.models.__path__)]
    code = f"import sys, {', '.join(names)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "backend.models.from_onnx" in done.stdout.split()
    assert not OPTIONAL & set(done.stdout.split())
