"""Runs graphs: order, store, checkpoints, stop and resume."""
