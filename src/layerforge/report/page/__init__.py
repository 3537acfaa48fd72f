"""The page of ``inspect --html``: where a layer's bytes are, and how they came to be there."""
