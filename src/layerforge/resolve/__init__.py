"""From what a person asks for to exact versions with hashes. In: targets, recipes, requirements, locks. Out: pins."""
