"""The help of the selected node: what it does, its paper, its ports, and every setting."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QTextBrowser, QVBoxLayout, QWidget

from backend.core.node import NodeSpec, Port
from studio.fields.spec import ORIGINS, FieldSpec, fields_of
from studio.fields.tip import paper_link
from studio.session import Session
from studio.theme import theme

NOTHING = "Select a node to read what it does and where its settings come from."


class HelpWidget(QWidget):
    """Follows the selection; written anew only while it is seen."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._shown: tuple[object, ...] = ()
        self._wanted = ""
        self.browser = QTextBrowser(self)
        self.browser.setAccessibleName("Help of the selected node")
        self.browser.setOpenExternalLinks(True)
        self.browser.setStyleSheet("QTextBrowser { border: none; background: none; padding: 0; }")
        self.browser.viewport().setAutoFillBackground(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.browser)
        self.setFocusProxy(self.browser)
        session.selection.changed.connect(self.refresh)
        session.catalog.changed.connect(self.refresh)
        session.document.changed.connect(self.refresh)
        session.document.replaced.connect(self.refresh)
        theme().changed.connect(self.refresh)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what happened while hidden."""
        super().showEvent(event)
        self.refresh()

    def reveal(self, setting: str) -> None:
        """Scroll to a setting of the selected node and mark it, until another node is selected."""
        self._wanted = setting.split(".")[0]
        self._shown = ()
        self.refresh()

    def refresh(self, _change: object = None) -> None:
        """Show the help of the node that is selected now."""
        if not self.isVisible():
            return
        spec, known = self._spec()
        look = theme()
        key = (known, spec, look.mode, look.scale, look.is_dark)
        if key == self._shown:
            return
        if self._shown and self._shown[:2] != key[:2]:
            self._wanted = ""
        self._shown = key
        self.browser.document().setDocumentMargin(look.px(12))
        if spec is not None:
            self.browser.setHtml(help_html(spec, self._wanted))
        else:
            self.browser.setHtml(_page(f'<p class="muted">{escape(_without(known))}</p>'))
        if self._wanted:  # once the page has its width: a dock that was just shown has none yet
            QTimer.singleShot(0, self.browser, self._scroll)

    def _scroll(self) -> None:
        if self._wanted:
            self.browser.scrollToAnchor(self._wanted)

    def _spec(self) -> tuple[NodeSpec | None, str]:
        name = self.session.selection.current
        node = self.session.document.graph.nodes.get(name) if name else None
        if node is None:
            return None, ""
        return self.session.catalog.specs.get(node.type), node.type


class HelpDock:
    """What the selected node does."""

    NAME = "help"
    TITLE = "Help"
    ICON = "book-open-variant"
    AREA = "right"
    KINDS: tuple[str, ...] = ()
    WIDGET = HelpWidget


def help_html(spec: NodeSpec, marked: str = "") -> str:
    """Return the help of a kind of node as a page in the theme's colours, one setting marked."""
    parts = [f'<p class="head">{escape(spec.title)}</p>']
    parts += [f"<p>{escape(' '.join(part.split()))}</p>" for part in spec.doc.split("\n\n")]
    if spec.source:
        parts.append(f"{_section('Source')}<p>{_source(spec.source)}</p>")
    for title, ports in (("Takes", spec.inputs), ("Gives", spec.outputs)):
        if ports:
            parts.append(_section(title) + "".join(map(_port, ports)))
    fields = fields_of(spec.params)
    if fields:
        told = "".join(_field(field, is_marked=field.name == marked) for field in fields)
        parts.append(_section("Settings") + told)
    parts.append(f'<p class="muted">{escape(_facts(spec))}</p>')
    return _page("".join(parts))


def _without(kind: str) -> str:
    if not kind:
        return NOTHING
    return f'The kind "{kind}" is not installed, so there is no help for it.'


def _section(title: str) -> str:
    return f'<p class="section">{title}</p>'


def _source(text: str) -> str:
    link = paper_link(text)
    return f'<a href="{escape(link)}">{escape(text)}</a>' if link else escape(text)


def _port(port: Port) -> str:
    more = [word for word, on in (("optional", port.optional), ("several", port.many)) if on]
    if port.follows:
        more.append(f"of the type that comes in at {port.follows}")
    told = f' <span class="muted">{escape(", ".join(more))}</span>' if more else ""
    return f"<p><code>{escape(port.name)}</code> {escape(port.type)}{told}</p>"


def _field(field: FieldSpec, *, is_marked: bool) -> str:
    facts = []
    if field.has_default:
        origin = f", {ORIGINS[field.origin]}" if field.origin in ORIGINS else ""
        facts.append(f"default <code>{escape(field.show(field.default)) or 'empty'}</code>{origin}")
    else:
        facts.append("must be given")
    if field.range():
        facts.append(f"<code>{escape(field.range())}</code>")
    if field.is_log:
        facts.append("log scale")
    facts.append(f"in files <code>{escape(_in_files(field))}</code>")
    told = f'<br><span class="muted">{"; ".join(facts)}</span>'
    kind = "marked" if is_marked else "name"
    name = f'<a name="{escape(field.name)}"></a><span class="{kind}">{escape(field.label)}</span>'
    return f"<p>{name} {escape(field.description)}{told}</p>"


def _in_files(field: FieldSpec) -> str:
    """Name a setting, and its choices if they are called otherwise, as a document does."""
    if not field.choice_labels:
        return field.name
    return f"{field.name} = {', '.join(map(str, field.choices))}"


def _facts(spec: NodeSpec) -> str:
    stored = "Its results are stored and used again." if spec.cached else "Computed in every run."
    return f"{spec.id}, version {spec.version}. {stored}"


def _page(body: str) -> str:
    look = theme()
    muted, ink, link = (look.color(name).name() for name in ("muted", "ink", "blade"))
    mono = look.mono("small")
    font = look.font("body")
    return (
        f"<style>body {{ color: {ink}; font-family: '{font.family()}';"
        f" font-size: {font.pixelSize()}px; }}"
        f" p {{ margin: {look.px(4)}px 0; }}"
        f" .head {{ font-size: {look.font('title').pixelSize()}px; font-weight: 600; }}"
        f" .section {{ font-size: {look.font('micro').pixelSize()}px; font-weight: 600;"
        f" color: {muted}; margin-top: {look.px(12)}px; }}"
        f" .name {{ font-weight: 600; }} .marked {{ font-weight: 600; color: {link}; }}"
        f" .muted {{ color: {muted};"
        f" font-size: {look.font('small').pixelSize()}px; }}"
        f" code {{ font-family: '{mono.family()}'; font-size: {mono.pixelSize()}px; }}"
        f" a {{ color: {link}; text-decoration: none; }}</style><body>{body}</body>"
    )
