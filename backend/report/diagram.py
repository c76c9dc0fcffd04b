"""The graph of a run as a small drawing: columns from sources to results, one card a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.report.digest import Step
from backend.report.layout import HEIGHT, WIDTH, Wire, arrange
from backend.report.text import duration, esc, shorten

TALL, LEAST = 640, 0.72
"""A graph taller than so many pixels is drawn smaller, down to this scale; then it scrolls."""
_FAMILIES = {
    "data": "data",
    "evaluate": "result",
    "profile": "result",
    "export": "result",
    "cost": "result",
    "compare": "result",
    "report": "result",
    "chip": "chip",
    "pim": "chip",
}
_SHAPES = {
    "data": "M-5 -5H5V5H-5Z",
    "result": "M0 -6L6 5H-6Z",
    "chip": "M-3.2 -5.6H3.2L6.4 0L3.2 5.6H-3.2L-6.4 0Z",
    "model": "M-5.6 0a5.6 5.6 0 1 0 11.2 0a5.6 5.6 0 1 0 -11.2 0Z",
}
_ICONS = {
    "done": "M-4 0.3L-1.2 3.2L4.2 -3",
    "cached": "M-4 -.8A4 4 0 0 1 3.4-2.4M3.6-5V-2.2H.8M4 .8A4 4 0 0 1-3.4 2.4M-3.6 5V2.2H-.8",
    "warning": "M0 -4V1M0 3.6V3.9",
    "failed": "M-3 -3L3 3M3 -3L-3 3",
    "cancelled": "M-3.4 -3.4L3.4 3.4",
    "broken off": "M-3 -3L3 3M3 -3L-3 3",
    "running": "M0 -3.6V0L2.6 1.6",
    "idle": "",
}
_COLORS = {
    "done": "good",
    "cached": "good",
    "warning": "warn",
    "failed": "bad",
    "broken off": "bad",
    "running": "blade",
}
WORDS = {"idle": "not run", "warning": "check this"}


def family(type: str) -> str:
    """Return the colour family of a kind of node, by its category."""
    return _FAMILIES.get(type.partition(".")[0], "model")


def look(step: Step) -> str:
    """Return the state to draw: a finished step that warned asks for a look."""
    return "warning" if step.state in ("done", "cached") and step.warnings else step.state


def state_color(state: str) -> str:
    """Return the colour name of a state; muted for one that is neither good nor bad."""
    return _COLORS.get(state, "muted")


def state_icon(state: str, size: int = 16) -> str:
    """Draw the ring and the sign of a state, to stand before its word."""
    color = state_color(state)
    return (
        f'<svg class="state c-{color}" width="{size}" height="{size}" viewBox="-9 -9 18 18" '
        f'aria-hidden="true">{_ring(state)}</svg>'
    )


def _ring(state: str) -> str:
    faint = " faint" if state == "cached" else ""
    return f'<circle class="ring{faint}" r="7.6"/><path class="sign" d="{_ICONS.get(state, "")}"/>'


def draw(steps: Mapping[str, Step], links: Sequence[tuple[str, str]]) -> str:
    """Draw the graph; each card leads to the node's details further down."""
    if not steps:
        return ""
    sources = [step.name for step in steps.values() if family(step.type) == "data"]
    plan = arrange(list(steps), links, sources)
    order = {name: index for index, name in enumerate(steps)}
    wires = "".join(_wire(wire, family(steps[wire.source].type)) for wire in plan.wires)
    cards = "".join(_card(steps[name], order[name], *plan.nodes[name]) for name in steps)
    scale = min(1.0, max(LEAST, TALL / plan.height))
    said = ", ".join(f"{s.name} {WORDS.get(look(s), look(s))}" for s in steps.values())
    return (
        '<div class="canvas" tabindex="0" role="region" aria-label="Graph">'
        f'<svg class="graph" viewBox="0 0 {plan.width:.0f} {plan.height:.0f}" '
        f'style="width:{plan.width * scale:.0f}px;min-width:{plan.width * LEAST:.0f}px" '
        'role="group" '
        f'aria-label="Graph: {esc(said)}"><title>Graph of the run</title>{wires}{cards}</svg></div>'
    )


def _wire(wire: Wire, color: str) -> str:
    (x, y), *rest = wire.places
    path = f"M{x:.0f} {y:.1f}"
    for index, (to_x, to_y) in enumerate(rest):
        if index % 2:  # straight along a lane
            path += f"H{to_x:.0f}"
        else:
            half = max(18.0, (to_x - x) / 2)
            path += f"C{x + half:.0f} {y:.1f} {to_x - half:.0f} {to_y:.1f} {to_x:.0f} {to_y:.1f}"
        x, y = to_x, to_y
    return f'<path class="wire f-{color}" d="{path}"/>'


def _card(step: Step, index: int, x: float, y: float) -> str:
    state = look(step)
    color, hue = state_color(state), family(step.type)
    share = {"done": 1.0, "cached": 1.0, "warning": 1.0}.get(state, step.share)
    time = "" if step.seconds is None or state == "cached" else duration(step.seconds)
    words = WORDS.get(state, state)
    if state in ("cancelled", "broken off", "running") and 0 < step.share < 1:
        words += f" at {100 * step.share:.0f} %"
    if step.bypass:
        words = "passed by"
    border = f" b-{color}" if color in ("bad", "warn", "blade") else ""
    title = f"{step.name} ({step.type or 'unknown kind'}): {words} {time}".strip()
    return (
        f'<a href="#step-{index}" aria-label="{esc(title)}">'
        f'<g transform="translate({x:.0f} {y:.0f})">'
        f"<title>{esc(title)}</title>"
        f'<rect class="card{border}" width="{WIDTH}" height="{HEIGHT}" rx="10"/>'
        f'<rect class="tile f-{hue}" x="8" y="8" width="26" height="26" rx="6"/>'
        f'<path class="glyph f-{hue}" transform="translate(21 21)" d="{_SHAPES[hue]}"/>'
        f'<text class="name" x="42" y="19">{esc(shorten(step.name, 15))}</text>'
        f'<text class="sub" x="42" y="33">{esc(shorten(step.type, 18))}</text>'
        f'<g class="c-{color}" transform="translate({WIDTH - 18} 21)">{_ring(state)}</g>'
        f'<path class="kerf" d="M1 42H{WIDTH - 1}"/>'
        f'<path class="kerf cut c-{color}" d="M1 42H{1 + (WIDTH - 2) * share:.0f}"/>'
        f'<text class="foot t-{color}" x="10" y="60">{esc(words)}</text>'
        f'<text class="foot" x="{WIDTH - 10}" y="60" text-anchor="end">{esc(time)}</text></g></a>'
    )
