"""Writes networks for other runtimes and checks them there."""
