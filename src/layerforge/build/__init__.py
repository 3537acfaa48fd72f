"""From pins to a plan, and from its source steps to files. In: pins, recipes. Out: a plan, built steps."""
