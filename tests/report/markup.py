"""Reads a page strictly: every element closed in order, nothing fetched, ids unique."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "img", "input", "br", "link", "hr"}


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.ids: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        if self.open:
            self.faults.append(f"never closed: {self.open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if len(found) != len(attrs):
            self.faults.append(f"attribute twice in {tag}: {attrs}")
        self.elements.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-2:]} at {self.getpos()}")
            return
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [
            found
            for name, found in self.elements
            if name == tag
            and all(w in found.get(k.rstrip("_"), "").split() for k, w in wanted.items())
        ]

    @property
    def words(self) -> str:
        return " ".join(text for tag, text in self.texts if tag not in ("script", "style"))


def check(html: str) -> Page:
    """Parse a page and assert what holds for every one of them."""
    page = Page(html)
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids))
    for tag, found in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in found)
        for name in ("src", "href", "action", "srcset", "data", "xlink:href"):
            if name in found:
                assert found[name].startswith(("data:image/png;base64,", "#")), found[name]
        if tag == "svg":
            assert "aria-hidden" in found or found.get("aria-label")
        if tag == "img":
            assert "alt" in found
    style = "".join(text for tag, text in page.texts if tag == "style")
    assert "url(" not in style
    assert "@import" not in style
    targets = [f["href"][1:] for tag, f in page.elements if tag == "a"]
    assert set(targets) <= set(page.ids)
    for found in page.all("th"):
        assert found.get("scope") in ("row", "col")
    return page
