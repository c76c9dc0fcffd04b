"""Training of classifiers: one loop that gives the same bits whether or not it was interrupted."""

from __future__ import annotations

from backend.train.loop import Epoch, History, Hooks, Loss, Moment, fit
from backend.train.plan import TrainError, TrainPlan

__all__ = ["Epoch", "History", "Hooks", "Loss", "Moment", "TrainError", "TrainPlan", "fit"]
