"""From wheels and built steps to one archive. In: a plan, built steps. Out: a tree, and its zip."""
