from __future__ import annotations

import pytest

from layerforge.core.shebang import Start, is_python, start


@pytest.mark.parametrize(
    ("line", "program", "options"),
    [
        ("#!/bin/sh", "/bin/sh", ""),
        ("#! /bin/sh -e", "/bin/sh", "-e"),
        ("#!\t/usr/bin/awk\t-f", "/usr/bin/awk", "-f"),
        ("#!python", "./python", ""),
        ("#!/bin/sh\r", "/bin/sh\r", ""),
        ("#!/usr/bin/env ruby", "ruby", ""),
        ("#!/bin/env bash ", "bash", ""),
        ("#!/usr/bin/env", "/usr/bin/env", ""),
        # The kernel gives env one word, with the blank in it.
        ("#!/usr/bin/env python3 -u", "python3 -u", ""),
        ("#!/usr/bin/env -S python3 -u -X utf8", "python3", "-uXutf8"),
        ("#!/usr/bin/env --split-string=node --flag", "node", "--flag"),
        ("#!/usr/bin/env -iS A=1 B='x y' bash", "bash", ""),
        ("#!/usr/bin/env -S 'python3", "'python3", ""),
        ("#!/usr/local/bin/env ruby", "/usr/local/bin/env", "ruby"),
    ],
)
def test_the_first_line_names_what_starts_a_script(line: str, program: str, options: str) -> None:
    assert start(f"{line}\nbody\n".encode()) == Start(program=program, options=options, body=b"body\n")


@pytest.mark.parametrize(
    ("line", "program", "options"),
    [
        ("'/a path/python3'", "/a path/python3", ""),
        ("/long/python3.13", "/long/python3.13", ""),
        ("'/long/python' -E -s", "/long/python", "-Es"),
    ],
)
def test_the_long_form_of_installers_is_understood(line: str, program: str, options: str) -> None:
    text = f"#!/bin/sh\n'''exec' {line} \"$0\" \"$@\"\n' '''\nimport sys\n"
    assert start(text.encode()) == Start(program=program, options=options, body=b"import sys\n")


@pytest.mark.parametrize("data", [b"", b"#", b"#!", b"#!\n", b"# !/bin/sh\n", b"\x7fELF", b"#!/usr/bin/env -S A=1\n"])
def test_what_names_nothing_is_started_by_nothing(data: bytes) -> None:
    assert start(data) is None


@pytest.mark.parametrize(
    ("program", "known"),
    [
        ("/home/me/.venv/bin/python", True),
        ("./pythonw", True),
        ("python3", True),
        ("python3.13t", True),
        ("/usr/bin/python3\r", True),
        ("python2.7", False),
        ("/usr/bin/python2", False),
        ("pypy3", False),
        ("python-config", False),
        ("/opt/python/sh", False),
    ],
)
def test_pythons_of_version_three_are_known_by_their_names(program: str, known: bool) -> None:
    assert is_python(program) is known
