"""Real cold starts of a layer in the runtime's image: how long they take, what they hold, what they cost."""
