"""What every other wing stands on: errors, runtimes, limits, texts, processes, files and the store."""
