"""Pruning: which channels belong together, and networks with fewer of them."""
