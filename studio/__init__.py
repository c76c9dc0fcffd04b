"""The desktop window over `backend.core`."""
