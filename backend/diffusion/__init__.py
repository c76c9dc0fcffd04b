"""Diffusion pipelines of other makers, as teachers: found, checked, loaded, run."""
