"""Carries exported artifacts to phones."""
