"""The docks at the left: kinds of node, and the graphs that there are."""

from __future__ import annotations

from studio.docks.files import FilesWidget
from studio.editor.nodes_panel import NodesPanel


class NodesDock:
    """The palette."""

    NAME = "nodes"
    TITLE = "Nodes"
    ICON = "shape-outline"
    AREA = "left"
    KINDS: tuple[str, ...] = ()
    WIDGET = NodesPanel


class FilesDock:
    """Graphs: recent ones, those of the workspace, the examples."""

    NAME = "files"
    TITLE = "Files"
    ICON = "file-document-outline"
    AREA = "left"
    KINDS: tuple[str, ...] = ()
    WIDGET = FilesWidget
