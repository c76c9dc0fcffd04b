"""The phone page: files that the server gives out, and the scripts that keep them current."""
