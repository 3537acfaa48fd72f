"""A first recipe for a package, from what its wheel holds."""
