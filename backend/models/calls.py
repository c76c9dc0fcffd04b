"""Calls written as text, ``resnet(depth=20)``: parsed, never evaluated."""

from __future__ import annotations

import ast
from typing import Any

from backend.models.errors import RecipeError


def parse_call(text: str) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Split ``name(1, option=2)`` into name, positional and named arguments; ``name`` will do.

    Arguments are Python literals only (numbers, strings, booleans, None, lists, tuples,
    dictionaries).

    Raises:
        RecipeError: the text is no such call.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RecipeError(f"{_short(text)} is not of the form name(option=value, ...).") from error
    if isinstance(tree, ast.Name):
        return tree.id, (), {}
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
        raise RecipeError(f"{_short(text)} is not of the form name(option=value, ...).")
    named: dict[str, Any] = {}
    for keyword in tree.keywords:
        if keyword.arg is None:
            raise RecipeError(f"{_short(text)} may not use **; write every option out.")
        named[keyword.arg] = _literal(keyword.value, keyword.arg, text)
    values = tuple(
        _literal(argument, f"argument {i + 1}", text) for i, argument in enumerate(tree.args)
    )
    return tree.func.id, values, named


def format_call(name: str, options: dict[str, Any]) -> str:
    """Return ``name(option=value, ...)`` so that :func:`parse_call` gives the same back."""
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in options.items())})"


def _literal(node: ast.expr, what: str, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise RecipeError(
            f"{what} of {_short(text)} must be a plain value such as 20, 0.5, True or 'text', not "
            "an expression."
        ) from error


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
