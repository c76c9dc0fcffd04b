"""Networks as recipes: builders, transforms and importers."""
