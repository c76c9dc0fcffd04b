"""Plots: the maths of curves, their themed widgets and their export."""
