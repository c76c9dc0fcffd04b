"""The rows of a form: what a schema says, what was typed, and a widget for each kind."""
