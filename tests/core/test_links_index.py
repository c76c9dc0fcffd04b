"""Links found by node are the ones that a walk over the list finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.core.graph import Graph, GraphNode
from backend.core.links import Link, Links
from backend.core.validity import problems, types_at, why_not

NODES = st.sampled_from("abcdef")
LINKS = st.builds(lambda a, b, p: Link(f"{a}.out", f"{b}.{p}"), NODES, NODES, st.sampled_from("xy"))
EDITS = st.lists(st.tuples(st.sampled_from(["in", "out", "by hand"]), LINKS, st.integers(0, 9)))


@given(edits=EDITS)
def test_the_index_follows_every_edit(edits) -> None:
    links, plain = Links(), []
    for kind, link, position in edits:
        if kind == "in" and link not in plain:
            plain.insert(position, link)
            links.insert(link, position)
        elif kind == "by hand" and link not in plain:
            plain.append(link)
            links.all.append(link)
        elif kind == "out" and plain:
            gone = {plain[position % len(plain)], link}
            plain = [x for x in plain if x not in gone]
            links.remove([x for x in gone if x in links.all])
        assert links.all == plain
        for name in "abcdef":
            assert links.into(name) == [x for x in plain if x.target_node == name]
            assert set(links.out_of(name)) == {x for x in plain if x.source_node == name}
        assert links.reaches("a", "b") == _reaches(plain, "a", "b")
        assert links.reaches("c", "b") == _reaches(plain, "c", "b")


def _reaches(links: list[Link], start: str, goal: str) -> bool:
    needed = {goal}
    for _ in range(6):
        needed |= {x.source_node for x in links if x.target_node in needed}
    return start in needed


def test_a_long_chain_that_hands_its_type_on_is_checked_without_recursion(toy) -> None:
    from backend.core.catalog import current

    specs, graph = current().nodes, Graph()
    graph.nodes = {f"n{i}": GraphNode("toy.same") for i in range(5000)}
    graph.links = [Link(f"n{i}.number", f"n{i + 1}.number") for i in range(4999)]
    graph.add("toy.start", "start")
    graph.add("toy.count_only", "count")
    assert "needs a Count" in (why_not(graph, "n4999.number", "count.count", specs) or "")
    graph.connect("start.count", "n0.number")
    assert why_not(graph, "n4999.number", "count.count", specs) is None
    assert [p.node for p in problems(graph, specs)] == ["count"]
    graph.links = [*graph.links, Link("n4999.number", "n0.number")]
    assert types_at(graph, "n7.number", specs)[0] == "Count"
    graph.links = graph.links[:4999] + graph.links[5000:]
    assert "Number" in types_at(graph, "n7.number", specs), "a circle ends, too"


def test_a_link_that_makes_way_is_no_reason(toy) -> None:
    from backend.core.catalog import current

    specs, graph = current().nodes, Graph()
    graph.add("toy.start", "one")
    graph.add("toy.start", "two")
    graph.add("toy.grow", "grow")
    graph.connect("one.count", "grow.number")
    assert "takes one link" in (why_not(graph, "two.count", "grow.number", specs) or "")
    assert why_not(graph, "two.count", "grow.number", specs, replace=True) is None
