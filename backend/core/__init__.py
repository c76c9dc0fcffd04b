"""The document, the run and their words; knows no torch and no window."""
