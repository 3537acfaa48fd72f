"""Builds a wheel from an unpacked source distribution, inside a container: ``build_wheel.py SETTINGS.json OUT``.

Calls the package's own build backend (PEP 517) in this process; what it needs lies on ``sys.path`` already. Runs on
Python 3.10, which reads no TOML, so the settings say what ``pyproject.toml`` does.
"""

import importlib
import json
import sys


def main(settings_file: str, out: str) -> None:
    """Loads the backend that the settings name and lets it build into ``out``."""
    with open(settings_file, encoding="utf-8") as file:
        settings = json.load(file)
    sys.path[:0] = settings["backend_path"]
    module, _, attribute = settings["backend"].partition(":")
    backend = importlib.import_module(module)
    for name in filter(None, attribute.split(".")):
        backend = getattr(backend, name)
    print(backend.build_wheel(out, settings["config"] or None))


if __name__ == "__main__":
    main(*sys.argv[1:])
