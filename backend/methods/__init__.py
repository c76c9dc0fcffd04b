"""Every node, one file a method."""
