"""Draws what a command prints as an SVG: ``python docs/pictures/terminal.py OUT.svg layerforge build scikit-learn``.

With ``--log FILE`` before the command, what it printed earlier, for one that takes an hour.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLOURS = {r"^✓": "green", r"^✕": "red", r"^!": "yellow", r"\d+\.\d s$": "dim", r"\bLF\d{3}\b": "bold"}


def main(out: Path, command: list[str]) -> None:
    """Runs ``command`` and draws its standard error, prompt line included."""
    if command[0] == "--log":
        printed, command = Path(command[1]).read_text("utf-8"), command[2:]
    else:
        env = {**os.environ, "COLUMNS": "110", "NO_COLOR": "1"}
        printed = subprocess.run(command, env=env, stderr=subprocess.PIPE, text=True, check=False).stderr
    console = Console(record=True, width=110, file=Path(os.devnull).open("w"), force_terminal=True)
    console.print(Text(f"$ {' '.join(command)}", style="bold"))
    for line in printed.rstrip().splitlines():
        console.print(coloured(line))
    out.write_text(without_fonts(console.export_svg(title=command[0], theme=MONOKAI)), "utf-8")


def coloured(line: str) -> Text:
    """``line`` with its marks in colour."""
    text = Text(line)
    for pattern, style in COLOURS.items():
        text.highlight_regex(pattern, style)
    return text


def without_fonts(svg: str) -> str:
    """Rich's picture asks the network for a font; the reader's own will do."""
    return re.sub(r"\s*@font-face \{.*?\}\n", "\n", svg, flags=re.DOTALL).replace("Fira Code", "monospace")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
