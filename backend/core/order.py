"""Orders of a directed graph given as node -> sources; no recursion, so depth does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping


def postorder(start: str, sources: Callable[[str], Iterable[str]]) -> list[str]:
    """Return ``start`` and everything it needs, sources first.

    In a circle each node appears once, in no useful order; see :func:`circle`.
    """
    order: dict[str, None] = {}
    opened: set[str] = set()
    stack: list[tuple[str, bool]] = [(start, False)]
    while stack:
        name, is_ready = stack.pop()
        if is_ready:
            order.setdefault(name)
        elif name not in opened:
            opened.add(name)
            stack.append((name, True))
            stack += [(source, False) for source in reversed(list(sources(name)))]
    return list(order)


def circle(sources: Mapping[str, Iterable[str]]) -> list[str]:
    """Return one circle as it flows, the first node repeated at the end; empty without one."""
    closed: set[str] = set()
    for start in sources:
        path: dict[str, None] = {}  # in order, and asked for every link
        stack: list[tuple[str, Iterator[str]]] = []
        _open(start, sources, path, stack, closed)
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                closed.add(name)
                path.popitem()
                stack.pop()
            elif following in path:
                names = list(path)
                return [*reversed(names[names.index(following) :]), names[-1]]
            else:
                _open(following, sources, path, stack, closed)
    return []


def _open(
    name: str,
    sources: Mapping[str, Iterable[str]],
    path: dict[str, None],
    stack: list[tuple[str, Iterator[str]]],
    closed: set[str],
) -> None:
    if name not in closed:
        path[name] = None
        stack.append((name, iter(sources.get(name, ()))))
