"""Fretsaw: cuts neural networks down until they run live on a phone.

``Graph``, ``Run``, ``node``, ``Params``, ``Context`` and ``run`` are the whole Python interface::

    import backend
    g = backend.Graph("mine")
    g.add("data.fashion_mnist", "data")
    backend.run(g, on_event=print)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.core.context import Context
    from backend.core.graph import Graph
    from backend.core.node import Params, node
    from backend.core.run import Run
    from backend.engine.launch import run

__all__ = ["Context", "Graph", "Params", "Run", "node", "run"]

# Looked up on first use: `python -m backend ls` must not wait for what it does not need.
_PLACES = {
    "Context": "backend.core.context",
    "Graph": "backend.core.graph",
    "Params": "backend.core.node",
    "Run": "backend.core.run",
    "node": "backend.core.node",
    "run": "backend.engine.launch",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'backend' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
