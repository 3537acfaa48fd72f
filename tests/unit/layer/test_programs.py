from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import a_file, a_tree, target
from layerforge.core import runtimes
from layerforge.layer import programs
from layerforge.layer.tree import File, Link, Package, Tree

LINE = b"#!/var/lang/bin/python3.13\n"
PATH = (
    b"import sys; sys.path[:0] = "
    b'[path for path in ("/opt/python/lib/python3.13/site-packages", "/opt/python") if path not in sys.path]\n'
)
HERE = "#!/home/me/.venv/bin/python\n"
INFO = "python/pkg-1.dist-info"
PKG = Package(name="pkg", version="1", info=INFO)


def installed(*files: File | Link) -> dict[str, bytes]:
    """Contents by path of what becomes of a layer of package ``pkg``."""
    tree = programs.for_runtime(a_tree(*files, packages=[PKG]), target())
    return {file.path: file.blob.read() for file in tree.files}


def script(text: str) -> bytes:
    """What becomes of one script in ``bin/``."""
    return installed(a_file("bin/tool", text.encode()))["bin/tool"]


def points(text: str) -> File:
    return a_file(f"{INFO}/entry_points.txt", text.encode())


def test_a_script_of_an_entry_point_is_written_anew_whatever_wrote_it() -> None:
    listed = points("[console_scripts]\ntool = pkg.cli:main\n\n[gui_scripts]\nwindow= pkg.cli : App.run [extra]\n")
    long = b"#!/bin/sh\n'''exec' '/a path/python' \"$0\" \"$@\"\n' '''\nimport re\n"
    made = installed(listed, a_file("bin/tool", long), a_file("bin/window", HERE.encode()))
    call = b'if __name__ == "__main__":\n    sys.exit(%b())\n'
    assert made["bin/tool"] == LINE + PATH + b"from pkg.cli import main\n" + call % b"main"
    assert made["bin/window"] == LINE + PATH + b"from pkg.cli import App\n" + call % b"App.run"


def test_the_bytes_of_a_program_do_not_depend_on_who_installed_it() -> None:
    first, second = (script(f"#!{path}\nprint(1)\n") for path in ("/home/me/.venv/bin/python", "/usr/bin/python3.12"))
    assert first == second == LINE + PATH + b"print(1)\n"


def test_programs_are_executable_even_where_the_wheel_forgot_it() -> None:
    [tool] = programs.for_runtime(a_tree(a_file("bin/tool", HERE.encode())), target()).files
    assert tool.executable


@pytest.mark.parametrize(
    "text",
    [
        "tool = pkg.cli",
        "tool = pkg.cli:import",
        "tool = pkg.cli:main(); evil",
        "tool = pkg..cli:main",
        "[other]\ntool = pkg.cli:main",
        "# tool = pkg.cli:main",
        "another = pkg.cli:main",
    ],
)
def test_what_is_no_entry_point_of_a_script_leaves_the_text_of_it(text: str) -> None:
    made = installed(points(f"[console_scripts]\n{text}\n"), a_file("bin/tool", f"{HERE}print(1)\n".encode()))
    assert made["bin/tool"] == LINE + PATH + b"print(1)\n"


def test_an_entry_point_speaks_of_the_scripts_of_its_own_package_only() -> None:
    other = a_file("bin/tool", f"{HERE}print(1)\n".encode(), package="other")
    assert installed(points("[console_scripts]\ntool = pkg:main\n"), other)["bin/tool"].endswith(b"print(1)\n")


@pytest.mark.parametrize(
    ("first", "line"),
    [
        ("#!python", LINE),
        ("#!/usr/bin/env python3", LINE),
        ("#!/usr/bin/python3 -u", LINE[:-1] + b" -u\n"),
        ("#!/usr/bin/env -S python -u -E", LINE[:-1] + b" -uE\n"),
        ("#!/home/me/python3.11\r", LINE),
    ],
)
def test_programs_in_python_get_the_runtimes_interpreter_and_keep_their_options(first: str, line: bytes) -> None:
    assert script(f"{first}\nprint(1)\n") == line + PATH + b"print(1)\n"


@pytest.mark.parametrize(
    "text",
    ["#!/bin/sh\necho\n", "#!/usr/bin/env bash\n", "#!/usr/bin/ruby\n", "#!/usr/bin/python2\n", "plain", "\x7fELF"],
)
def test_other_programs_stay_as_they_are(text: str) -> None:
    assert script(text) == text.encode()


def test_only_programs_in_bin_are_changed() -> None:
    files = {"python/pkg/tool.py": HERE.encode(), "python/bin/tool": HERE.encode()}
    assert installed(*(a_file(path, data) for path, data in files.items())) == files
    link = Link(path="bin/link", target="tool")
    assert programs.for_runtime(a_tree(link), target()).entries == (link,)


HEADS = [
    "",
    "# -*- coding: utf-8 -*-\n",
    "\n  # indented\n\t\n",
    '"""Says what it does."""\n',
    '"""Has a \\""" in it,\n\nand goes on: \'\'\' .\n"""  # done\n',
    "r'one line'\n",
    "from __future__ import annotations\n",
    "from __future__ import (\n    annotations,\n    division,\n)\n# and\n",
    "'doc'\n\nfrom __future__ import annotations  # all\nfrom __future__ import division\n",
]


@pytest.mark.parametrize("head", HEADS)
def test_the_path_is_set_before_the_first_statement_and_behind_what_must_come_first(head: str) -> None:
    made = script(f"{HERE}{head}import pkg\nprint(__doc__)\n")
    assert made == LINE + head.encode() + PATH + b"import pkg\nprint(__doc__)\n"


@pytest.mark.parametrize(
    "body",
    [
        "'a' 'b'\nimport pkg\n",
        '"""a"""; import pkg\n',
        '"""a""".strip()\nx = """b"""\n',
        "from __future__ import annotations; import pkg\n",
        "# no end of line",
        "PK\0\0",
    ],
)
def test_a_script_whose_first_statement_is_not_plain_to_see_keeps_its_text(body: str) -> None:
    assert script(HERE + body) == LINE + body.encode()


PIECES = st.lists(
    st.sampled_from(
        [
            *HEADS,
            "'a' 'b'\n",
            "'x'; y = 1\n",
            "x = 1\n",
            "import os\n",
            "def f():\n    'doc'\n",
            "\n",
            "''\n",
            "f'{1}'\n",
        ]
    ),
    max_size=5,
)


@given(PIECES)
def test_a_script_that_python_takes_says_the_same_with_the_path_set(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        before = ast.parse(text)
        compile(text, "before", "exec", dont_inherit=True)
    except SyntaxError:
        return
    made = script(HERE + text)
    compile(made, "after", "exec", dont_inherit=True)
    after = ast.parse(made)
    assert ast.get_docstring(after) == ast.get_docstring(before)
    added = {ast.dump(one) for one in ast.parse(PATH).body}
    assert [one for one in map(ast.dump, after.body) if one not in added] == list(map(ast.dump, before.body))


@given(
    st.lists(
        st.sampled_from(
            [
                b"#!",
                b"/bin/sh",
                b"/usr/bin/env",
                b" -S",
                b"python",
                b"'''exec' ",
                b' "$0" "$@"',
                b"' '''",
                b"\n",
                b" ",
                b"\r",
                b"\0",
                b"\xff",
                b"'",
                b'"""',
                b"\\",
                b"#",
                b";",
                b"from __future__ import",
                b"(",
            ]
        ),
        max_size=12,
    )
)
def test_whatever_a_script_holds_it_is_read_and_installing_it_again_changes_nothing(pieces: list[bytes]) -> None:
    data = b"#!" + b"".join(pieces)
    [once] = installed(a_file("bin/tool", data)).values()
    assert once == data or once.startswith(LINE[:-1])
    assert installed(a_file("bin/tool", once)) == {"bin/tool": once}


@pytest.mark.parametrize("line", ["a" + " " * 200_000 + "b", "[" + " " * 200_000, "a = b" + " " * 200_000 + "c"])
def test_a_long_line_of_entry_points_is_no_longer_work_than_it_is(line: str) -> None:
    text = f"[console_scripts]\n{line}\ntool = pkg:main\n"
    assert b"pkg import main" in installed(points(text), a_file("bin/tool", HERE.encode()))["bin/tool"]


def test_a_program_finds_the_packages_of_the_layer_first_and_those_on_the_path_once(tmp_path: Path) -> None:
    line = PATH.replace(b"/opt/", f"{tmp_path}/".encode())
    (tmp_path / "python").mkdir()
    (tmp_path / "python/pkg.py").write_text("print('found')\n")
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin/tool"
    tool.write_bytes(line + b"import pkg\nprint(sys.path.count(%r))\n" % str(tmp_path / "python"))
    for env in ({}, {"PYTHONPATH": f"{tmp_path}/python"}):
        ran = subprocess.run([sys.executable, tool], env=env, capture_output=True, text=True, check=True)
        assert ran.stdout == "found\n1\n"


@pytest.mark.parametrize(
    ("program", "lacking"),
    [
        ("/bin/sh", False),
        ("/usr/bin/sh", False),
        ("/bin/bash", False),
        ("/var/lang/bin/python3.13", False),
        ("/var/lang/bin/python3", False),
        ("/var/lang/bin/python3.12", True),
        ("python3", False),
        ("python3.13", False),
        ("bash", False),
        ("sh", False),
        ("/opt/bin/own", False),
        ("own", False),
        ("/opt/bin/gone", True),
        ("/var/task/bin/x", False),
        ("/bin/sh\r", True),
        ("./python", True),
        ("bin/own", True),
        ("python3 -u", True),
        ("ruby", True),
        ("node", True),
        ("/usr/bin/perl", True),
        ("/usr/bin/python3", True),
        ("/home/me/.venv/bin/python", True),
    ],
)
def test_lambda_has_shells_and_its_own_python_and_the_layer_what_it_brings(program: str, lacking: bool) -> None:
    assert programs.lacks(program, runtimes.runtimes()["3.13"], {"bin/own"}) is lacking


def a_layer_of(*lines: str) -> Tree:
    return a_tree(*(a_file(f"bin/p{at}", f"#!{line}\n".encode()) for at, line in enumerate(lines)))


def test_what_goes_is_told_in_one_line_with_what_would_start_it() -> None:
    gone = programs.unstartable(a_layer_of("/bin/sh", "/usr/bin/env ruby", "/usr/bin/\x1bperl"), target().runtime)
    assert gone == {"bin/p1": "ruby", "bin/p2": "/usr/bin/\x1bperl"}
    told = "left out, since Lambda lacks what starts them: bin/p1 (ruby), bin/p2 (/usr/bin/\\x1bperl)"
    assert list(programs.told(gone)) == [told]
    assert list(programs.told({})) == []


def test_of_many_programs_the_first_are_named_and_the_others_counted() -> None:
    [line] = programs.told(programs.unstartable(a_layer_of(*["/usr/bin/ruby"] * 8), target().runtime))
    assert line.count("ruby") == 5
    assert line.endswith(" and 3 more")
