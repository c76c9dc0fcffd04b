"""What every test lives in: one thread, no network, a workspace of its own."""

from __future__ import annotations

import os

# Before torch and huggingface_hub are imported, since they read these once.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # windows of tests need no screen

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)

# No deadline: a shared machine is slow at times. The same examples every time.
settings.register_profile("fretsaw", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("fretsaw")


@pytest.fixture(autouse=True)
def _own_workspace(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """Point the workspace, also that of subprocesses, at a fresh folder."""
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path_factory.mktemp("workspace")))
