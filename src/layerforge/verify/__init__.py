"""Whether a layer is fit for Lambda. In: an examination, an engine. Out: findings and a verdict."""
