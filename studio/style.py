"""The style sheet: what standard widgets look like, built from the theme."""

from __future__ import annotations

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from studio.theme import Theme

_SHEET = """
* {{ outline: none; }}
QWidget {{ color: {ink}; }}
QMainWindow, QDialog, QWidget#page {{ background: {panel}; }}
QMainWindow::separator {{ background: {line}; width: 1px; height: 1px; margin: 0; }}
QMainWindow::separator:hover {{ background: {blade}; }}
QSplitter::handle {{ background: {line}; }}
QSplitter::handle:horizontal {{ width: 1px; }}
QSplitter::handle:vertical {{ height: 1px; }}
QToolTip {{ background: {card}; color: {ink}; border: {border}px solid {border_strong};
  padding: {s4}px {s8}px; }}
QMenuBar {{ background: {panel}; border: none; spacing: 2px; }}
QMenuBar::item {{ padding: {s4}px 9px; margin: {s4}px 0;
  border-radius: {r_field}px; background: transparent; }}
QMenuBar::item:selected {{ background: {hover}; }}
QMenuBar::item:pressed {{ background: {pressed}; }}
QMenu {{ background: {card}; border: {border}px solid {border_strong}; padding: {s4}px;
  border-radius: {r_button}px; }}
QMenu::item {{ padding: {s4}px {s24}px {s4}px {s12}px; border-radius: {r_field}px;
  min-height: {s20}px; }}
QMenu::item:selected {{ background: {selected}; }}
QMenu::item:disabled {{ color: {disabled_ink}; }}
QMenu::separator {{ height: 1px; background: {line}; margin: {s4}px {s8}px; }}
QMenu::right-arrow {{ width: 12px; height: 12px; }}
QPushButton {{ background: {card}; border: {border}px solid {line}; border-radius: {r_button}px;
  padding: 0 {s12}px; min-height: {h_button}px; max-height: {h_button}px; font-weight: 500; }}
QPushButton:hover {{ border-color: {border_strong}; background: {card_hover}; }}
QPushButton:pressed {{ background: {pressed}; }}
QPushButton:focus {{ border-color: {blade}; }}
QPushButton:disabled {{ color: {disabled_ink}; background: {panel}; }}
QPushButton[kind="primary"] {{ background: {blade}; border-color: {blade}; color: {on_blade};
  font-weight: 600; min-height: {h_primary}px; max-height: {h_primary}px; padding: 0 {s16}px; }}
QPushButton[kind="primary"]:hover {{ background: {blade_hover}; border-color: {blade_hover}; }}
QPushButton[kind="primary"]:pressed {{ background: {blade_pressed}; }}
QPushButton[kind="primary"]:focus {{ border-color: {ink}; }}
QPushButton[kind="primary"]:disabled {{ background: {field}; border-color: {line};
  color: {disabled_ink}; }}
QPushButton[kind="quiet"] {{ background: transparent; border-color: transparent; }}
QPushButton[kind="quiet"]:hover {{ background: {hover}; }}
QPushButton[kind="quiet"]:focus {{ border-color: {blade}; }}
QPushButton[kind="danger"] {{ background: {card}; color: {bad}; }}
QPushButton[kind="danger"]:hover {{ border-color: {bad}; background: {card}; color: {bad}; }}
QPushButton[kind="danger"]:pressed {{ background: {pressed}; color: {ink}; }}
QPushButton[kind="status"] {{ background: transparent; border: 1px solid transparent;
  padding: 0 4px; min-height: {s20}px; max-height: {s20}px; font-weight: 400; }}
QPushButton[kind="status"]:hover {{ background: {hover}; }}
QPushButton[kind="status"]:focus {{ border-color: {blade}; }}
QPushButton[kind="status"][tone="warn"] {{ color: {warn_text}; }}
QPushButton[kind="status"][tone="bad"] {{ color: {bad_text}; }}
QPushButton[kind="status"][tone]:hover {{ background: {hover}; color: {ink}; }}
QToolButton {{ background: transparent; border: 1px solid transparent;
  border-radius: {r_button}px; padding: {s4}px; }}
QToolButton:hover {{ background: {hover}; }}
QToolButton:pressed {{ background: {pressed}; }}
QToolButton:checked {{ background: {hover}; }}
QToolButton:focus {{ border-color: {blade}; }}
QToolButton::menu-indicator {{ image: none; }}
QLineEdit, QPlainTextEdit, QTextEdit, QComboBox, QAbstractSpinBox {{ background: {field};
  border: {border}px solid {line}; border-radius: {r_field}px; padding: 0 {s8}px;
  selection-background-color: {blade}; selection-color: {on_blade}; }}
QLineEdit, QComboBox, QAbstractSpinBox {{ min-height: {h_field}px; max-height: {h_field}px; }}
QPlainTextEdit, QTextEdit {{ padding: {s4}px; }}
QLineEdit:hover, QComboBox:hover, QAbstractSpinBox:hover {{ border-color: {border_strong}; }}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QComboBox:focus,
QAbstractSpinBox:focus {{ border-color: {blade}; }}
QLineEdit[state="error"] {{ border-color: {bad}; }}
QLineEdit:disabled, QComboBox:disabled {{ color: {disabled_ink}; }}
QComboBox::drop-down {{ border: none; width: {s20}px; }}
QComboBox::down-arrow {{ image: none; width: 0; }}
QComboBox QAbstractItemView {{ background: {card}; border: {border}px solid {border_strong};
  padding: {s4}px; selection-background-color: {selected}; selection-color: {ink}; }}
QAbstractItemView {{ background: {panel}; border: none; selection-background-color: {selected};
  selection-color: {ink}; }}
QAbstractItemView::item:selected {{ background: {selected}; color: {ink}; }}
QAbstractItemView::item:hover:!selected {{ background: {hover}; }}
QHeaderView {{ background: {panel}; border: none; }}
QHeaderView::section {{ background: {panel}; color: {muted}; border: none;
  border-bottom: 1px solid {line}; padding: 0 {s8}px; height: {s24}px; font-weight: 500;
  font-size: {micro}px; }}
QHeaderView::section:hover {{ color: {ink}; }}
QTableView, QTreeView, QListView {{ gridline-color: {plot_grid}; }}
QTableCornerButton::section {{ background: {panel}; border: none; }}
QScrollArea {{ background: transparent; border: none; }}
QScrollArea > QWidget > QWidget {{ background: transparent; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle {{ background: {line}; border-radius: 3px; margin: 2px; }}
QScrollBar::handle:vertical {{ min-height: 24px; }}
QScrollBar::handle:horizontal {{ min-width: 24px; }}
QScrollBar::handle:hover {{ background: {muted}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QTabBar {{ background: {panel}; border: none; qproperty-drawBase: 0; }}
QTabBar::tab {{ background: transparent; color: {muted}; border: none; padding: 0;
  margin: 0 {s10}px; height: {h_tab}px; font-size: {small}px; font-weight: 500;
  border-bottom: 2px solid transparent; }}
QTabBar::tab:first, QTabBar::tab:only-one {{ margin-left: {s12}px; }}
QWidget#dock_page {{ background: {panel}; border-top: 1px solid {line}; }}
QTabBar::tab:selected {{ color: {ink}; font-weight: 600; border-bottom: 2px solid {blade}; }}
QTabBar::tab:hover:!selected {{ color: {ink}; }}
QTabBar::tab:focus {{ color: {ink}; background: {hover}; }}
QTabWidget::pane {{ border: none; border-top: 1px solid {line}; }}
QDockWidget {{ titlebar-close-icon: none; titlebar-normal-icon: none; border: none; }}
QDockWidget > QWidget {{ background: {panel}; }}
QStatusBar {{ background: {panel}; border-top: 1px solid {line}; color: {muted};
  font-size: {small}px; }}
QStatusBar::item {{ border: none; }}
QToolBar {{ background: {panel}; border: none; border-bottom: 1px solid {line}; spacing: 6px;
  padding: 0 {s12}px; }}
QCheckBox, QRadioButton {{ spacing: {s8}px; }}
QCheckBox::indicator {{ width: 14px; height: 14px; border: {border}px solid {border_strong};
  border-radius: 3px; background: {field}; }}
QCheckBox::indicator:checked {{ background: {blade}; border-color: {blade}; }}
QCheckBox:focus, QRadioButton:focus {{ color: {blade_text}; }}
QProgressBar {{ background: {plot_grid}; border: none; border-radius: 2px; height: 4px;
  text-align: center; }}
QProgressBar::chunk {{ background: {blade}; border-radius: 2px; }}
QLabel {{ background: transparent; }}
QLabel[tone="muted"] {{ color: {muted}; }}
QLabel[tone="bad"] {{ color: {bad_text}; }}
QLabel[tone="warn"] {{ color: {warn_text}; }}
QLabel[tone="good"] {{ color: {good_text}; }}
QLabel[tone="blade"] {{ color: {blade_text}; }}
QLabel[tone="data"] {{ color: {data_text}; }}
"""
_NAMES = (
    *("ink", "muted", "panel", "line", "blade", "card", "field", "bad"),
    *("border_strong", "hover", "pressed", "selected", "disabled_ink", "plot_grid"),
    *("on_blade", "blade_hover", "blade_pressed"),
)


def sheet(theme: Theme) -> str:
    """Return the style sheet for the theme's mode and scale."""
    values: dict[str, str | int] = {name: _hex(theme.color(name)) for name in _NAMES}
    for name in ("warn", "good", "bad", "blade", "data"):
        values[f"{name}_text"] = _hex(theme.text_color(name))
    values["card_hover"] = _hex(theme.mix("card", "ink", 0.05))
    values |= {f"s{n}": theme.px(n) for n in (4, 8, 10, 12, 16, 20, 24)}
    values |= {
        "border": theme.border,
        "r_field": 4,
        "r_button": 6,
        # a style sheet's height is that of the content: two borders less
        "h_button": theme.px(28) - 2 * theme.border,
        "h_primary": theme.px(32) - 2 * theme.border,
        "h_field": theme.px(28) - 2 * theme.border,
        "h_tab": theme.px(32) - 2,
        "micro": theme.px(11),
        "small": theme.px(12),
    }
    return _SHEET.format(**values)


def apply(app: QApplication, theme: Theme) -> None:
    """Give the application the theme: palette, font and style sheet."""
    app.setPalette(theme.palette())
    app.setFont(theme.font("body"))
    app.setStyleSheet(sheet(theme))


def _hex(color: QColor) -> str:
    return color.name()
