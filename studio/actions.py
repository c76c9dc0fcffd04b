"""The one table of actions: menus, tool bar, shortcuts and command palette are made from it."""

from __future__ import annotations

from studio.action import Action
from studio.device_actions import DEVICE

MENUS = ("File", "Edit", "View", "Graph", "Run", "Device", "Help")
WORKSPACES = {"Graph": "graph-outline", "Compare": "compare", "Phone": "cellphone"}


def _file() -> tuple[Action, ...]:
    return (
        Action("new", "New graph", "files:new", "File", 0, "Ctrl+N", "file-plus-outline"),
        Action("new_window", "New window", "files:new_window", "File", 0, "Ctrl+Shift+N"),
        Action("open", "Open...", "files:open_dialog", "File", 0, "Ctrl+O", "folder-open-outline"),
        Action("save", "Save", "files:save", "File", 1, "Ctrl+S", "content-save-outline", "graph"),
        Action("save_as", "Save as...", "files:save_as", "File", 1, "Ctrl+Shift+S", "", "graph"),
        Action("save_template", "Keep as a template", "templates:save", "File", 1, why_not="nodes"),
        Action("revert", "Revert to saved", "files:revert", "File", 1, "", "", "saved_and_edited"),
        Action(
            "load_model", "Inspect a model...", "files:load_model", "File", 2, "Ctrl+I", "download"
        ),
        Action(
            "export_canvas",
            "Export the canvas as a picture...",
            "files:export_canvas",
            "File",
            2,
            "",
            "export-variant",
            "nodes",
        ),
        Action("settings", "Settings", "windows:settings", "File", 3, "Ctrl+,", "cog-outline"),
        Action("storage", "Storage", "windows:storage", "File", 3, keywords="disk space free gc"),
        Action("close", "Close window", "files:close", "File", 4, "Ctrl+W"),
        Action("quit", "Quit", "files:quit_all", "File", 4, "Ctrl+Q"),
    )


def _edit() -> tuple[Action, ...]:
    return (
        Action("undo", "Undo", "edit:undo", "Edit", 0, "Ctrl+Z", "undo", "can_undo"),
        Action("redo", "Redo", "edit:redo", "Edit", 0, "Ctrl+Shift+Z", "redo", "can_redo"),
        Action("history", "History", "windows:history", "Edit", 0, "", "history", "graph"),
        Action("cut", "Cut", "edit:cut", "Edit", 1, "Ctrl+X", "", "selected"),
        Action("copy", "Copy", "edit:copy", "Edit", 1, "Ctrl+C", "", "selected"),
        Action("paste", "Paste", "edit:paste", "Edit", 1, "Ctrl+V", "", "graph"),
        Action("duplicate", "Duplicate", "edit:duplicate", "Edit", 1, "Ctrl+D", "", "selected"),
        Action(
            "delete", "Delete", "edit:delete", "Edit", 1, "Del", "trash-can-outline", "anything"
        ),
        Action("select_all", "Select all", "edit:select_all", "Edit", 2, "Ctrl+A", "", "nodes"),
        Action("rename", "Rename node", "edit:rename", "Edit", 2, "F2", "", "selected"),
        Action("find", "Find a node kind", "edit:find", "Edit", 2, "/", "magnify"),
        Action(
            "find_node", "Find a node here...", "edit:find_node", "Edit", 2, "Ctrl+F", "", "nodes"
        ),
    )


def _view() -> tuple[Action, ...]:
    themes = (
        ("system", "Follow the system"),
        ("dark", "Dark"),
        ("light", "Light"),
        ("contrast", "High contrast, dark"),
        ("contrast_light", "High contrast, light"),
    )
    sizes = (90, 100, 115, 130, 150)
    return (
        Action("zoom_in", "Zoom in", "view:zoom_in", "View", 0, "Ctrl++", "", "graph"),
        Action("zoom_out", "Zoom out", "view:zoom_out", "View", 0, "Ctrl+-", "", "graph"),
        Action("zoom_100", "Zoom to 100 %", "view:zoom_100", "View", 0, "Ctrl+0", "", "graph"),
        Action(
            "fit",
            "Zoom to fit",
            "view:fit",
            "View",
            0,
            "Ctrl+1",
            "fit-to-screen-outline",
            "nodes",
        ),
        Action(
            "minimap", "Map", "view:minimap", "View", 0, "", "map-outline", "graph", "minimap_shown"
        ),
        *(
            Action(
                f"theme_{mode}",
                text,
                "view:theme",
                "View/Theme",
                1,
                details=(("mode", mode),),
                checked=f"theme_{mode}",
                keywords="theme colour appearance",
            )
            for mode, text in themes
        ),
        *(
            Action(
                f"text_{size}",
                f"{size} %",
                "view:text_size",
                "View/Text size",
                1,
                details=(("percent", size),),
                checked=f"text_{size}",
                keywords="text size scale font",
            )
            for size in sizes
        ),
        *(
            Action(
                f"workspace_{name.lower()}",
                f"{name} workspace",
                "view:workspace",
                "View",
                2,
                f"Alt+{n}",
                icon,
                "graph",
                details=(("name", name),),
            )
            for n, (name, icon) in enumerate(WORKSPACES.items(), 1)
        ),
        Action("reset_layout", "Reset the layout", "view:reset_layout", "View", 2, "", "", "graph"),
        Action(
            "export_dock",
            "Export a dock as a picture...",
            "view:export_dock",
            "View",
            2,
            "",
            "",
            "graph",
        ),
        Action("news", "Go to the newest message", "view:news", "View", 3, "F6"),
        Action("full_screen", "Full screen", "view:full_screen", "View", 3, "F11"),
    )


def _graph() -> tuple[Action, ...]:
    sides = ("left", "right", "top", "bottom", "columns", "rows")
    names = (
        "left edges",
        "right edges",
        "top edges",
        "bottom edges",
        "centres in a column",
        "centres in a row",
    )
    return (
        Action(
            "quick_add", "Add a node...", "graph:quick_add", "Graph", 0, "Shift+A", "plus", "graph"
        ),
        Action(
            "add_note", "Add a note", "graph:add_note", "Graph", 0, "N", "note-outline", "graph"
        ),
        Action(
            "frame",
            "Frame the selection",
            "graph:frame",
            "Graph",
            0,
            "Ctrl+G",
            "select-group",
            "selected",
        ),
        Action(
            "arrange",
            "Arrange the graph",
            "graph:arrange",
            "Graph",
            1,
            "Ctrl+L",
            "auto-fix",
            "nodes",
        ),
        *(
            Action(
                f"align_{side}",
                f"Align {name}",
                "graph:align",
                "Graph/Align",
                1,
                why_not="several",
                details=(("side", side),),
            )
            for side, name in zip(sides, names, strict=True)
        ),
        Action(
            "distribute_x",
            "Distribute across",
            "graph:distribute",
            "Graph/Align",
            2,
            why_not="three",
            details=(("axis", "x"),),
        ),
        Action(
            "distribute_y",
            "Distribute down",
            "graph:distribute",
            "Graph/Align",
            2,
            why_not="three",
            details=(("axis", "y"),),
        ),
        Action(
            "bypass",
            "Bypass",
            "graph:bypass",
            "Graph",
            2,
            "B",
            "debug-step-over",
            "selected",
            "bypassed",
        ),
        Action(
            "collapse",
            "Collapse",
            "graph:collapse",
            "Graph",
            2,
            "C",
            "",
            "selected",
            "collapsed",
        ),
        Action(
            "next_problem",
            "Go to the next problem",
            "graph:next_problem",
            "Graph",
            3,
            "F8",
            "alert",
            "problems",
        ),
    )


def _run() -> tuple[Action, ...]:
    return (
        Action("run", "Run all", "running:run_all", "Run", 0, "Ctrl+R", "play", "runnable"),
        Action(
            "run_here",
            "Run to here",
            "running:run_here",
            "Run",
            0,
            "F5",
            "debug-step-over",
            "runnable_one",
        ),
        Action(
            "run_selected",
            "Run selected",
            "running:run_selected",
            "Run",
            0,
            "Shift+F5",
            "play-box-outline",
            "runnable_selected",
        ),
        Action(
            "rerun_failed",
            "Rerun failed nodes",
            "running:rerun_failed",
            "Run",
            0,
            "",
            "restart",
            "has_failed",
        ),
        Action(
            "run_anew",
            "Run all anew, without stored results",
            "running:run_anew",
            "Run",
            0,
            why_not="runnable",
        ),
        Action("stop", "Stop", "running:stop", "Run", 1, "Ctrl+.", "stop", "running"),
        Action(
            "kill", "Kill now", "running:kill", "Run", 1, "", "close-octagon-outline", "killable"
        ),
        Action("resume", "Resume", "running:resume", "Run", 1, "", "play-pause", "resumable"),
        Action(
            "pause_queue",
            "Hold the queue",
            "running:pause_queue",
            "Run",
            2,
            "",
            "",
            "",
            "queue_paused",
        ),
        Action(
            "mark_last_two",
            "Compare the last two runs",
            "running:mark_last_two",
            "Run",
            2,
            "Ctrl+Shift+C",
            "compare",
        ),
        Action(
            "copy_command",
            "Copy as command",
            "running:copy_command",
            "Run",
            3,
            "",
            "console",
            "nodes",
        ),
        Action(
            "copy_python",
            "Copy as Python",
            "running:copy_python",
            "Run",
            3,
            "",
            "language-python",
            "nodes",
        ),
    )


def _help() -> tuple[Action, ...]:
    return (
        Action("welcome", "Welcome page", "windows:welcome", "Help", 0, "", "home-outline"),
        Action("palette", "Search actions", "windows:palette", "Help", 0, "Ctrl+K", "magnify"),
        Action("shortcuts", "Shortcuts", "windows:shortcuts", "Help", 1, "", "keyboard-outline"),
        Action(
            "diagnostics",
            "Collect diagnostics...",
            "windows:diagnostics",
            "Help",
            2,
            "",
            "stethoscope",
        ),
        Action("rebuild_catalog", "Look for nodes again", "windows:rebuild_catalog", "Help", 2),
        Action("about", "About Fretsaw", "windows:about", "Help", 3, "", "information-outline"),
    )


def _hidden() -> tuple[Action, ...]:
    """Deeds that docks and the canvas ask for with details; not in menus."""
    return (
        Action("open_file", "Open a file", "files:open_path"),
        Action("open_pipeline", "Open an example", "files:open_pipeline"),
        Action("drop", "Open what was dropped", "files:drop"),
        Action("open_run", "Show a run", "running:show"),
        Action("open_run_graph", "Open the graph of a run", "running:open_graph"),
        Action("inspect", "Inspect a file", "windows:inspect"),
        Action("add_node", "Add a node", "graph:add_node", why_not="graph"),
        Action("preset", "Apply a preset", "graph:preset", why_not="graph"),
        Action("show_dock", "Show a dock", "view:show_dock"),
        Action("show_problem", "Show a problem", "graph:show_problem"),
        Action("fix", "Fix what failed", "graph:fix", why_not="graph"),
        Action("focus_properties", "Go to the properties", "graph:focus_properties"),
        Action("context_menu", "Menu", "graph:context_menu"),
        Action("open_folder", "Open a folder", "files:open_folder"),
    )


ACTIONS: tuple[Action, ...] = (
    *_file(),
    *_edit(),
    *_view(),
    *_graph(),
    *_run(),
    *DEVICE,
    *_help(),
    *_hidden(),
)
BY_ID = {action.id: action for action in ACTIONS}
CANVAS_KEYS = frozenset({"cut", "copy", "paste", "delete", "select_all"})
"""Whose shortcuts hold on the canvas only: docks have rows of their own to copy and delete."""
NODE_KEYS = frozenset(
    {"duplicate", "add_note", "frame", "arrange", "bypass", "collapse", "quick_add"}
)
"""Whose shortcuts hold on the canvas and in the properties of what is selected there."""
