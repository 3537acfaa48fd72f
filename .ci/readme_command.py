"""Prints a command of README.md: the one in the fenced block below the line `<!-- command: NAME -->`."""

import re
import sys
from pathlib import Path

readme = Path(__file__).parents[1] / "README.md"
match = re.search(rf"<!-- command: {sys.argv[1]} -->\s+```\w*\n(.*?)```", readme.read_text("utf-8"), re.DOTALL)
if match is None:
    sys.exit(f"README.md has no command {sys.argv[1]}")
print(match[1])
