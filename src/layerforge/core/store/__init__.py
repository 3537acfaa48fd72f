"""Values by the digest of all that made them."""
