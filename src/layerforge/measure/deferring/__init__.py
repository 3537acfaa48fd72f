"""Which imports of a layer's modules could wait, and what a cold start would save. In: a traced init. Out: advice."""
