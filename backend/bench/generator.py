"""Small generators for phones against two teachers and one colour matrix, on held-out photos."""

from __future__ import annotations

from typing import Any

from backend.bench.session import Session, figure, print_table
from backend.core.errors import FretsawError
from backend.core.graph import Graph
