"""Benchmarks, one file each; see :mod:`backend.bench.run` for what a benchmark is."""
