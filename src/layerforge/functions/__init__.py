"""Functions that share layers: resolved together, weighed, split, and proved as each has them."""
