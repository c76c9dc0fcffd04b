"""Distillation: losses between teacher and student."""
