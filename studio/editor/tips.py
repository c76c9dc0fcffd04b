"""What the canvas says when the pointer rests."""

from __future__ import annotations

from html import escape

from studio.editor.hits import Hit
from studio.editor.ports import PortFace
from studio.resuming import goes_on
from studio.session import Session
from studio.theme import theme


def tip_of(session: Session, hit: Hit) -> str:
    """Return a tip as rich text; empty where there is nothing to add."""
    if hit.node is not None and hit.port is not None:
        return _port(hit.port.face)
    if hit.node is not None:
        return _node(session, hit.node.name)
    if hit.link is not None:
        link = hit.link.link
        return f"<p>{escape(link.source)} to {escape(link.target)}</p>"
    return ""


def _port(face: PortFace) -> str:
    words = [face.type or "type not known"]
    if face.side == "input":
        words.append("several links" if face.many else "optional" if face.optional else "required")
    return f"<p><b>{escape(face.name)}</b> {escape(', '.join(words))}</p>"


def _node(session: Session, name: str) -> str:
    node = session.document.graph.nodes.get(name)
    if node is None:
        return ""
    spec = session.catalog.specs.get(node.type)
    muted = theme().color("muted").name()
    lines = []
    if spec is None:
        lines.append(
            f"<b>{escape(node.type)}</b> is not installed here. Its settings and links are kept."
        )
    else:
        doc = spec.doc.partition("\n\n")[0].replace("\n", " ")
        lines.append(f"<b>{escape(spec.title)}</b> {escape(name)}<br>{escape(doc)}")
        if spec.source:
            lines.append(f'<span style="color:{muted}">{escape(spec.source)}</span>')
    lines += [escape(problem.text) for problem in session.document.problems_of(name)]
    lines += [escape(text) for text in _from_run(session, name)]
    old = session.changes.of(name)
    if old is not None:
        lines.append(escape(old.long))
    stored = session.runner.stale(session.document.graph).get(name)
    if stored is not None and stored.why:
        lines.append(escape(stored.why))
    return "".join(f"<p>{line}</p>" for line in lines)


def _from_run(session: Session, name: str) -> list[str]:
    run = session.focus.fold.nodes.get(name) if session.focus is not None else None
    if run is None:
        return []
    rest = ""
    if run.state in ("cancelled", "crashed") and session.focus is not None:
        rest = f"Resume: {goes_on(session.focus, session.catalog.specs)}"
    return [text for text in (run.error, *run.warnings[:3], rest) if text]
