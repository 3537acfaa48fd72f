"""Adds flags to the commands that make single files, inside a container. Python 3.10 to 3.15.

``compile_with.py --set-up ROWS.json FOLDER`` puts a program in the place of each compiler into FOLDER, which the step
has first in its PATH; each of them runs ``compile_with.py --run STATE.json COMPILER ARGUMENT...``.
``compile_with.py --check FOLDER`` ends with 1 where a row has changed no file.

ROWS.json is a list of ``{"glob", "pattern", "flags"}``: flags for files whose path the regular expression matches.
"""

# It starts for every file that is compiled, so it takes only what starts quickly.
import json
import os
import re
import shlex
import sys
from collections.abc import Sequence

COMPILERS = ("cc", "c++", "gcc", "g++", "clang", "clang++", "gfortran")

STATE, USED = "state.json", "used"
"""Files of the folder: the rows that the compilers take, and a folder with an empty file for each that was used."""

LINKER = ("-Wl,", "-fuse-ld=", "-L", "-l")
"""How flags begin that mean something to commands that link and to no other."""

EXAMPLE = "int layerforge(void) { return 0; }\n"


def main(work: str, *arguments: str) -> None:
    """Does one of the three."""
    if work == "--set-up":
        set_up(*arguments)
    elif work == "--check":
        sys.exit(check(*arguments))
    else:
        run(*arguments)


def set_up(rows_file: str, folder: str) -> None:
    """Programs that stand for the compilers; rows whose flags no compiler takes are left out, and that is told."""
    os.makedirs(os.path.join(folder, USED))
    with open(rows_file, encoding="utf-8") as file:
        rows = json.load(file)
    compilers = {name: path for name in COMPILERS if (path := found(name))}
    taken = []
    for number, row in enumerate(rows):
        if takes(compilers.get("cc", "cc"), row["flags"], folder):
            taken.append({**row, "number": number})
        else:
            print(f"layerforge: this image's cc takes no {row['flags']}: {row['glob']} is made without", flush=True)
    state = os.path.join(folder, STATE)
    with open(state, "w", encoding="utf-8") as file:
        json.dump(taken, file)
    for name, compiler in compilers.items():
        stand_in(os.path.join(folder, name), state, compiler)


def found(name: str) -> str:
    """Where a program lies; empty where there is none."""
    paths = (os.path.join(folder, name) for folder in os.environ["PATH"].split(":"))
    return next((path for path in paths if os.access(path, os.X_OK)), "")


def stand_in(path: str, state: str, compiler: str) -> None:
    """Writes the program that stands for a compiler."""
    words = (sys.executable, "-IS", os.path.abspath(__file__), "--run", state, compiler)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    os.chmod(path, 0o755)


def takes(compiler: str, flags: str, folder: str) -> bool:
    """Whether a compiler makes a shared library with the flags. What it says of them stands in the log."""
    source, library = os.path.join(folder, "example.c"), os.path.join(folder, "example.so")
    with open(source, "w", encoding="utf-8") as file:
        file.write(EXAMPLE)
    command = [compiler, "-shared", "-fPIC", "-o", library, source, *shlex.split(flags)]
    return os.spawnv(os.P_WAIT, compiler, command) == 0  # 127 where there is no such program


def run(state: str, compiler: str, *arguments: str) -> None:
    """Becomes the compiler, with the flags of the file that the command makes."""
    with open(state, encoding="utf-8") as file:
        rows = json.load(file)
    made, links = told(arguments)
    flags = []
    for row in rows:
        if made and re.fullmatch(row["pattern"], made, re.DOTALL):
            flags += [one for one in shlex.split(row["flags"]) if links or not one.startswith(LINKER)]
            with open(os.path.join(os.path.dirname(state), USED, str(row["number"])), "w", encoding="utf-8"):
                pass
    # The first folder that has a library is the one that counts; of all else it is what comes last.
    folders = [one for one in flags if one.startswith("-L")]
    os.execv(compiler, [compiler, *folders, *arguments, *(one for one in flags if one not in folders)])


def told(arguments: Sequence[str]) -> tuple[str, bool]:
    """The file below the working folder that a command makes, empty where it makes none; and whether it links."""
    words = [word for argument in arguments for word in expanded(argument)]
    files = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "-o"]
    made = os.path.normpath(files[-1]) if files else ""
    # What tells what a compiler can do is made elsewhere, and has to come out as it always does.
    made = "" if os.path.isabs(made) or made.startswith("..") else made
    return made, not {"-c", "-E", "-S"} & set(words)


def expanded(argument: str) -> list[str]:
    """An argument, or those of the file that it names."""
    if argument.startswith("@") and os.path.isfile(argument[1:]):
        with open(argument[1:], encoding="utf-8", errors="surrogateescape") as file:
            return shlex.split(file.read())
    return [argument]


def check(folder: str) -> int:
    """1 where a row has changed no file, which is told; else 0."""
    with open(os.path.join(folder, STATE), encoding="utf-8") as file:
        rows = json.load(file)
    unused = [row["glob"] for row in rows if not os.path.exists(os.path.join(folder, USED, str(row["number"])))]
    for glob in unused:
        print(f"layerforge: no file was made that {glob} in module-flags matches", flush=True)
    return 1 if unused else 0


if __name__ == "__main__":
    main(*sys.argv[1:])
