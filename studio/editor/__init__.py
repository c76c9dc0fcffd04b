"""The canvas: what it shows, how it is edited, and how edits are taken back."""
