from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import Field

from backend.core.artifact import Artifact
from backend.core.context import Context
from backend.core.node import REGISTRY, NodeDefinitionError, Params, node


@pytest.fixture(autouse=True)
def _clean_registry():
    before = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(before)


class Settings(Params):
    bits: int = Field(default=8, ge=2, le=16, description="Word length.")


class Colliding(Params):
    version: int = 1


class Two(NamedTuple):
    first: Artifact
    second: Artifact


def test_the_signature_is_the_specification() -> None:
    @node("test.one", views=("layers",), gpus=1)
    def one(
        ctx: Context,
        p: Settings,
        model: Artifact,
        others: list[Artifact],
        extra: Artifact | None = None,
    ) -> Two:
        """Do one thing.

        And explain it.

        Source: Someone, sec. 3
        """
        return Two(model, model)

    spec = REGISTRY["test.one"].spec
    assert (spec.title, spec.category, spec.version) == ("One", "test", 1)
    assert spec.doc == "Do one thing.\n\nAnd explain it."
    assert spec.source == "Someone, sec. 3"
    ports = [(p.name, p.type, p.optional, p.many) for p in spec.inputs]
    assert ports == [
        ("model", "Artifact", False, False),
        ("others", "Artifact", False, True),
        ("extra", "Artifact", True, False),
    ]
    assert [p.name for p in spec.outputs] == ["first", "second"]
    assert spec.params["properties"]["bits"]["maximum"] == 16


def test_a_node_is_still_a_plain_function() -> None:
    @node("test.plain")
    def plain(ctx: Context, p: Settings) -> None:
        """Say the bits."""
        ctx.log(str(p.bits))

    assert plain(Context.quiet(), Settings()) is None


def test_parameters_are_frozen_checked_and_closed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().bits = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="less than or equal to 16"):
        Settings(bits=17)
    with pytest.raises(ValueError, match="Extra inputs"):
        Settings(bitz=3)


def _refused(define, words: str) -> None:
    with pytest.raises(NodeDefinitionError, match=words) as caught:
        define()
    assert f"{Path(__file__).name}:" in str(caught.value)


def test_definitions_that_lack_something_name_the_line() -> None:
    def no_doc():
        @node("test.bad")
        def bad(ctx: Context) -> None: ...

    def no_context():
        @node("test.bad")
        def bad(p: Settings) -> None:
            """Bad."""

    def no_return():
        @node("test.bad")
        def bad(ctx: Context):
            """Bad."""

    def no_annotation():
        @node("test.bad")
        def bad(ctx: Context, x) -> None:
            """Bad."""

    def wrong_class():
        @node("test.bad")
        def bad(ctx: Context, x: int) -> None:
            """Bad."""

    def wrong_id():
        @node("bad id")
        def bad(ctx: Context) -> None:
            """Bad."""

    def unknown_name():
        @node("test.bad")
        def bad(ctx: Context, x: NotThere) -> None:  # noqa: F821
            """Bad."""

    def taken_name():
        @node("test.bad")
        def bad(ctx: Context, p: Colliding) -> None:
            """Bad."""

    _refused(taken_name, 'cannot be called "version"')
    _refused(no_doc, "no docstring")
    _refused(no_context, "ctx: Context")
    _refused(no_return, "no return annotation")
    _refused(no_annotation, '"x" has no annotation')
    _refused(wrong_class, "no value class")
    _refused(wrong_id, r"category\.name")
    _refused(unknown_name, "NotThere")


def test_two_functions_cannot_share_an_id() -> None:
    @node("test.twice")
    def one(ctx: Context) -> None:
        """One."""

    with pytest.raises(NodeDefinitionError, match="already taken"):

        @node("test.twice")
        def two(ctx: Context) -> None:
            """Two."""
