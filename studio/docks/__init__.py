"""The docks around the canvas, one file each; the window finds them by entry point."""
