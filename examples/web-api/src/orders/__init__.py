"""Orders: what is in them, and what they cost."""
