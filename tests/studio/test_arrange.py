"""Layout and alignment: pure places first, then one undo step in a document."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.graph import Graph, GraphNode, Link
from studio.editor import arrange, layers
from studio.tokens import ASSETS

CARD = (192.0, 120.0)


def chain(*kinds: str) -> Graph:
    graph = Graph()
    for n, kind in enumerate(kinds):
        graph.nodes[f"n{n}"] = GraphNode(kind)
        if n:
            graph.links.append(Link(f"n{n - 1}.out", f"n{n}.in"))
    return graph


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 14))
    graph = Graph()
    for n in range(count):
        graph.nodes[f"n{n}"] = GraphNode(draw(st.sampled_from(["data.x", "train.y", "cost.z"])))
    pairs = list(itertools.permutations(range(count), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=24)) if pairs else []
    graph.links = [Link(f"n{a}.o", f"n{b}.i") for a, b in chosen]  # circles are allowed
    return graph


@st.composite
def sized(draw: st.DrawFn) -> tuple[Graph, dict[str, tuple[float, float]]]:
    graph = draw(graphs())
    heights = st.sampled_from([40.0, 120.0, 333.0])
    return graph, {name: (192.0, draw(heights)) for name in graph.nodes}


@settings(max_examples=80, deadline=None)
@given(sized())
def test_no_two_nodes_overlap_and_all_lie_on_the_grid(case):
    graph, sizes = case
    places = arrange.layered(graph, sizes)
    assert set(places) == set(graph.nodes)
    for a, b in itertools.combinations(graph.nodes, 2):
        (ax, ay), (bx, by) = places[a], places[b]
        apart_x = ax + sizes[a][0] <= bx or bx + sizes[b][0] <= ax
        apart_y = ay + sizes[a][1] <= by or by + sizes[b][1] <= ay
        assert apart_x or apart_y, (a, b, places)
    assert all(x % arrange.GRID == 0 and y % arrange.GRID == 0 for x, y in places.values())


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_links_of_a_graph_without_circles_go_to_the_right(graph):
    graph.links = [x for x in graph.links if int(x.source_node[1:]) < int(x.target_node[1:])]
    places = arrange.layered(graph, {})
    for link in graph.links:
        gap = places[link.target_node][0] - places[link.source_node][0] - CARD[0]
        assert gap >= arrange.COLUMN_GAP


def test_columns_are_72_px_apart_whatever_their_width():
    graph = chain("a.x", "a.x", "a.x")
    places = arrange.layered(graph, {"n0": (192, 100), "n1": (300, 100), "n2": (192, 100)})
    assert [places[f"n{n}"][0] for n in range(3)] == [0, 192 + 72, 264 + 304 + 72]


def test_same_graph_same_places():
    graph = Graph.load(ASSETS / "pipelines" / "quantize_classifier.json")
    assert arrange.layered(graph, {}) == arrange.layered(graph, {})


def test_data_lies_above_everything_it_feeds():
    graph = Graph.load(ASSETS / "pipelines" / "quantize_classifier.json")
    places = arrange.layered(graph, {})
    top = places.pop("data")[1]
    assert all(y > top for _, y in places.values())


def test_unlinked_nodes_lie_below_in_rows():
    graph = chain("a.x", "a.x")
    graph.nodes |= {f"alone{n}": GraphNode("a.x") for n in range(6)}
    places = arrange.layered(graph, {})
    alone = [places[f"alone{n}"] for n in range(6)]
    assert min(y for _, y in alone) > places["n0"][1] + CARD[1]
    assert len({y for _, y in alone}) == 2


def test_crossings_are_counted_and_undone():
    graph = Graph()
    for name in "abcd":
        graph.nodes[name] = GraphNode("m.x")
    edges = [("a", "d"), ("b", "c")]
    made = layers.plan("abcd", edges, lambda _: CARD, set())
    assert layers.crossings(made) == 1
    layers.uncross(made)
    assert layers.crossings(made) == 0


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_isotonic_rises_and_keeps_the_mean(wishes):
    found = layers.isotonic(wishes)
    assert all(b >= a - 1e-6 for a, b in itertools.pairwise(found))
    assert sum(found) == pytest.approx(sum(wishes), abs=1e-3)


def test_isotonic_leaves_what_already_rises():
    assert layers.isotonic([1.0, 2.0, 2.0, 5.0]) == [1.0, 2.0, 2.0, 5.0]
    assert layers.isotonic([3.0, 1.0]) == [2.0, 2.0]


def test_a_thousand_nodes_need_few_steps():
    graph = Graph()
    for n in range(1000):
        graph.nodes[f"n{n}"] = GraphNode("data.x" if n < 5 else "m.y")
        if n >= 5:
            graph.links += [Link(f"n{n // 2}.o", f"n{n}.i"), Link(f"n{n % 5}.o", f"n{n}.j")]
    assert len(arrange.layered(graph, {})) == 1000


PLACES = {"a": (0.0, 0.0), "b": (300.0, 40.0), "c": (620.0, 300.0)}
SIZES = {"a": (192.0, 100.0), "b": (192.0, 60.0), "c": (192.0, 100.0)}


def edges_of(side: str, places: dict[str, tuple[float, float]]) -> set[float]:
    value = {
        "left": lambda n: places[n][0],
        "right": lambda n: places[n][0] + SIZES[n][0],
        "top": lambda n: places[n][1],
        "bottom": lambda n: places[n][1] + SIZES[n][1],
        "columns": lambda n: places[n][0] + SIZES[n][0] / 2,
        "rows": lambda n: places[n][1] + SIZES[n][1] / 2,
    }[side]
    return {value(name) for name in places}


@pytest.mark.parametrize("side", arrange.SIDES)
def test_aligned_nodes_share_the_side_and_move_along_one_axis(side):
    moved = arrange.aligned(PLACES, SIZES, side)
    assert len(edges_of(side, moved)) == 1
    other = 1 if side in ("left", "right", "columns") else 0
    assert all(moved[name][other] == PLACES[name][other] for name in PLACES)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_distributed_nodes_have_equal_gaps_and_the_outer_ones_stay(axis):
    k = "xy".index(axis)
    moved = arrange.distributed(PLACES, SIZES, axis)
    gaps = [moved[b][k] - moved[a][k] - SIZES[a][k] for a, b in itertools.pairwise("abc")]
    assert gaps[0] == pytest.approx(gaps[1])
    assert moved["a"] == PLACES["a"]
    assert moved["c"] == PLACES["c"]
    assert arrange.distributed({"a": (0.0, 0.0)}, SIZES, axis) == {"a": (0.0, 0.0)}


def test_arranging_is_one_undo_step_and_keeps_the_corner(session):
    document = session.document
    for n, kind in enumerate(("data.digits", "model.resnet", "train.classifier")):
        document.add(kind, at=(496.0 + n, 704.0 + n))
    document.connect("resnet.classifier", "classifier.model")
    before = document.graph.to_json()
    steps = document.stack.index()
    assert arrange.arrange(session, {})
    assert document.stack.index() == steps + 1
    xs, ys = zip(*arrange.places_of(document.graph, document.graph.nodes).values(), strict=True)
    assert (min(xs), min(ys)) == (496, 704)
    assert not arrange.arrange(session, {})  # nothing is left to do, so no empty step
    document.stack.undo()
    assert document.graph.to_json() == before


def test_only_the_selected_nodes_are_arranged(session):
    document = session.document
    names = [document.add("data.digits", at=(8.0 * n, 8.0 * n)) for n in range(3)]
    session.selection.set(names[:2])
    arrange.arrange(session, {})
    assert arrange.places_of(document.graph, names)[names[2]] == (16.0, 16.0)


def test_align_distribute_and_snap_edit_the_document_once(session):
    document = session.document
    names = [document.add("data.digits", at=(100.0 * n + 3, 50.0 * n)) for n in range(3)]
    session.selection.set(names)
    for deed in (
        lambda: arrange.align(session, {}, "top"),
        lambda: arrange.snap(session),
    ):
        steps = document.stack.index()
        assert deed()
        assert document.stack.index() == steps + 1
    assert {y for _, y in arrange.places_of(document.graph, names).values()} == {0.0}
    assert [x for x, _ in arrange.places_of(document.graph, names).values()] == [0, 104, 200]
    assert arrange.distribute(session, {}, "x")
    assert [x for x, _ in arrange.places_of(document.graph, names).values()] == [0, 100, 200]


def test_links_from_data_do_not_push_the_branches_apart():
    places = arrange.layered(Graph.load(ASSETS / "pipelines" / "quantize_classifier.json"), {})
    for float_node, quantized in (("float", "f8net"), ("onnx", "qdq"), ("float_cost", "qdq_test")):
        assert places[float_node][1] < places[quantized][1]
