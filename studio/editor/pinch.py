"""Zooming with two fingers: trackpads send native gestures, touch screens Qt's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QNativeGestureEvent
from PySide6.QtWidgets import QGestureEvent, QPinchGesture

if TYPE_CHECKING:
    from studio.editor.view import GraphView


def pinched(view: GraphView, event: QEvent) -> bool:
    """Zoom if the event is a pinch; False for every other event."""
    if isinstance(event, QNativeGestureEvent):
        if event.gestureType() != Qt.NativeGestureType.ZoomNativeGesture:
            return False
        view.set_zoom(view.zoom_level * (1 + event.value()), event.position())
        return True
    if isinstance(event, QGestureEvent):
        pinch = event.gesture(Qt.GestureType.PinchGesture)
        if isinstance(pinch, QPinchGesture):
            place = view.viewport().mapFromGlobal(pinch.centerPoint().toPoint())
            view.set_zoom(view.zoom_level * pinch.scaleFactor(), QPointF(place))
            return True
    return False
