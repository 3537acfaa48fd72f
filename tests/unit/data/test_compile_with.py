"""What stands in for the compilers of a step, with programs that write down what they are given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from layerforge.core import globs
from layerforge.data import compile_with

FAKE = """#!/bin/sh
for argument; do
    [ "$argument" = -nonsense ] && echo "no such flag" >&2 && exit 1
done
printf '%s\\n' "$@" > "$(dirname "$0")/said"
"""


@pytest.fixture
def compilers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the compilers ``cc`` and ``gfortran``, which write their arguments into ``said`` beside them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cc", "gfortran"):
        (folder / name).write_text(FAKE)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(compile_with, "COMPILERS", ("cc", "gfortran", "nothing-of-that-name"))
    return folder


def set_up(folder: Path, rows: dict[str, str]) -> Path:
    """The folder of the programs that stand for the compilers."""
    told = [{"glob": glob, "pattern": globs.pattern(glob).pattern, "flags": flags} for glob, flags in rows.items()]
    (folder / "rows.json").write_text(json.dumps(told))
    compile_with.main("--set-up", str(folder / "rows.json"), str(folder / "stand-ins"))
    return folder / "stand-ins"


def said(folder: Path, stand_ins: Path, *arguments: str, name: str = "cc") -> list[str]:
    """What the compiler is given when its stand-in is called in ``folder``."""
    subprocess.run([stand_ins / name, *arguments], cwd=folder, check=True)
    return (folder / "bin/said").read_text().splitlines()


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (("-O2", "-c", "a.c", "-o", "pkg/mod.p/a.o"), ["-Os", "-DONE=1 2"]),
        (("-o", "pkg/mod.so", "pkg/mod.p/a.o"), ["-Wl,--fold"]),
        (("-o", "./pkg/mod.so", "pkg/mod.p/a.o"), ["-Wl,--fold"]),
        (("-c", "a.c", "-o", "other/a.o"), []),
        (("-c", "a.c"), []),
        (("--version",), []),
    ],
)
def test_a_command_gets_the_flags_of_the_file_that_it_makes_behind_its_own(
    tmp_path: Path, compilers: Path, arguments: tuple[str, ...], more: list[str]
) -> None:
    stand_ins = set_up(tmp_path, {"pkg/**/*.o": "-Os '-DONE=1 2' -Wl,--fold", "**/*.so": "-Wl,--fold"})
    assert said(tmp_path, stand_ins, *arguments) == [*arguments, *more]
    assert said(tmp_path, stand_ins, *arguments, name="gfortran") == [*arguments, *more]


def test_of_several_rows_all_count_in_the_order_of_the_recipe(tmp_path: Path, compilers: Path) -> None:
    stand_ins = set_up(tmp_path, {"**/*.o": "-Os", "pkg/**": "-O2"})
    assert said(tmp_path, stand_ins, "-c", "-o", "pkg/a.o")[-2:] == ["-Os", "-O2"]


def test_a_folder_of_libraries_is_looked_into_before_all_others(tmp_path: Path, compilers: Path) -> None:
    stand_ins = set_up(tmp_path, {"a.so": "-Wl,--fold -L/own -lown"})
    assert said(tmp_path, stand_ins, "-L/theirs", "-o", "a.so") == [
        "-L/own",
        "-L/theirs",
        "-o",
        "a.so",
        "-Wl,--fold",
        "-lown",
    ]


@pytest.mark.parametrize("made", ["/tmp/probe/a.so", "../probe/a.so"])
def test_what_lies_elsewhere_tells_what_a_compiler_can_do_and_is_made_as_ever(
    tmp_path: Path, compilers: Path, made: str
) -> None:
    assert said(tmp_path, set_up(tmp_path, {"**": "-Os"}), "-c", "-o", made) == ["-c", "-o", made]


def test_arguments_that_lie_in_a_file_are_read_and_left_there(tmp_path: Path, compilers: Path) -> None:
    (tmp_path / "long.rsp").write_text("-o 'pkg/a.so' pkg/a.o")
    assert said(tmp_path, set_up(tmp_path, {"pkg/*.so": "-Wl,--fold"}), "@long.rsp") == ["@long.rsp", "-Wl,--fold"]


def test_flags_that_the_compiler_does_not_take_are_left_out_with_a_word(
    tmp_path: Path, compilers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_ins = set_up(tmp_path, {"a.o": "-nonsense", "**/*.o": "-Os"})
    assert "this image's cc takes no -nonsense: a.o is made without" in capsys.readouterr().out
    assert said(tmp_path, stand_ins, "-c", "-o", "a.o") == ["-c", "-o", "a.o", "-Os"]
    # Nobody expects a file of it, then.
    assert compile_with.check(str(stand_ins)) == 0


def test_a_glob_that_nothing_matched_is_named_at_the_end(
    tmp_path: Path, compilers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_ins = set_up(tmp_path, {"a.o": "-Os", "b.o": "-Os"})
    said(tmp_path, stand_ins, "-c", "-o", "a.o")
    with pytest.raises(SystemExit) as ended:
        compile_with.main("--check", str(stand_ins))
    assert ended.value.code == 1
    assert capsys.readouterr().out == "layerforge: no file was made that b.o in module-flags matches\n"
    said(tmp_path, stand_ins, "-c", "-o", "b.o")
    with pytest.raises(SystemExit) as ended:
        compile_with.main("--check", str(stand_ins))
    assert ended.value.code == 0


def test_the_program_runs_alone_in_the_image_s_own_python(tmp_path: Path, compilers: Path) -> None:
    (tmp_path / "rows.json").write_text("[]")
    argv = [sys.executable, "-IS", compile_with.__file__, "--set-up", "rows.json", "stand-ins"]
    subprocess.run(argv, cwd=tmp_path, check=True)
    assert said(tmp_path, tmp_path / "stand-ins", "-c") == ["-c"]
