"""Imported once by the process that command lines are forked from; see :mod:`tests.fakes.forks`."""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import suppress

import backend.cli.running
import backend.engine.execute
import backend.methods

for found in pkgutil.iter_modules(backend.methods.__path__, "backend.methods."):
    importlib.import_module(found.name)
with suppress(ImportError):
    import peft  # noqa: F401
