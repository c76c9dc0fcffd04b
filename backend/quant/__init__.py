"""Quantizers and fixed-point networks."""
