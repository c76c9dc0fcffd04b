"""Small painted widgets: the look of `studio.theme` in every control, one file each."""
