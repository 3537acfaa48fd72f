"""Locks of other tools, a file each. In: ``uv.lock``, ``pylock.toml``, ``poetry.lock``, ``Pipfile.lock``. Out: pins."""
