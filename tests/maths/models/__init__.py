"""Networks: recipes, the zoo, weights, importers and tracing."""
