"""Painters of the view kinds: a payload of ``backend.core.views`` goes in, a picture comes out."""
