"""Advice: what would help a layer most, with the bytes or milliseconds that were measured of this very layer."""
