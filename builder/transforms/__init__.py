"""Model to model: names, order, duplicates."""
