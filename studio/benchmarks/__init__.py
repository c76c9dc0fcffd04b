"""Benchmarks of the window; `python -m backend bench studio` runs them."""
