"""Draws a run as one self-contained HTML page, and its figures as Markdown."""

from __future__ import annotations

from backend.report.markdown import markdown
from backend.report.page import write

__all__ = ["markdown", "write"]
