"""Where each command says what, and what a plan asks of others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

import zips
from layerforge import cli
from layerforge.cli import helping
from program import PYTHON, Command
from served_index import ServedIndex, serving
from wheels import make_wheel

ROOT = Path(__file__).parents[3]
RECIPES, DOCS = ROOT / "recipes", ROOT / "docs"


def command(name: str) -> click.Command:
    found = cli.group.get_command(click.Context(cli.group), name)
    assert found is not None
    return found


def every_command() -> list[str]:
    """``build``, ``cache info``, and so on."""
    found: list[str] = []
    for name in cli.COMMANDS:
        one = command(name)
        found += [f"{name} {sub}" for sub in one.commands] if isinstance(one, click.Group) else [name]
    return found


def parsed(words: str) -> click.Command:
    name, _, sub = words.partition(" ")
    one = command(name)
    return one.commands[sub] if sub and isinstance(one, click.Group) else one


# --- what a plan asks of others


@pytest.mark.parametrize(
    "more", [[], ["--wheels"], ["--leave-out", "other"], ["--compression", "small", "--bytecode", "only", "--json"]]
)
def test_a_plan_downloads_no_package(
    layerforge: Command, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    make_wheel(index, "demo", "1.0", requires=["other"])
    make_wheel(index, "other", "2.0")
    (tmp_path / "uv.toml").write_text("")
    with serving(index, metadata=True) as served:
        monkeypatch.setenv("UV_DEFAULT_INDEX", served.url)
        ran = layerforge("plan", "demo", "--python", PYTHON, "--engine", "host", *more)
        assert ran.code == 0, ran.err
        assert any(path.endswith(".metadata") for path in served.asked), "an index was asked"
        assert not packages(served)
        assert layerforge("build", "demo", "--python", PYTHON, "--engine", "host", "--no-verify").code == 0
        assert packages(served), "a build does download them"


def packages(served: ServedIndex) -> list[str]:
    return [path for path in served.asked if path.endswith((".whl", ".tar.gz", ".zip"))]


def test_a_plan_takes_every_option_of_a_build() -> None:
    build, plan = ({one.name: one.opts for one in command(name).params} for name in ("build", "plan"))
    assert build == plan


# --- where what is said


def test_reports_go_to_standard_output_and_nothing_else_does(layerforge: Command, tmp_path: Path) -> None:
    layer = zips.of(tmp_path / "layer.zip", zips.sound())
    for words in (["inspect", layer], ["recipes"], ["recipes", "check", RECIPES], ["doctor"], ["cache", "info"]):
        ran = layerforge(*words)
        assert ran.code == 0, ran.err
        assert (bool(ran.out), ran.err) == (True, ""), words


def test_a_plan_is_a_report_and_resolving_is_progress(layerforge: Command, index: Path) -> None:
    make_wheel(index)
    ran = layerforge("plan", "demo", "--python", PYTHON)
    assert "install demo 1.0" in ran.out or "wheel demo 1.0" in ran.out
    assert "resolve" not in ran.out
    assert "resolve" in ran.err
    quiet = layerforge("plan", "demo", "--python", PYTHON, "-q")
    assert (quiet.out, quiet.err) == (ran.out, "")
    before = layerforge("-q", "plan", "demo", "--python", PYTHON)
    assert (before.out, before.err) == (ran.out, "")


def test_a_build_ends_with_what_to_do_next(layerforge: Command, index: Path) -> None:
    make_wheel(index)
    ran = layerforge("build", "demo", "--python", PYTHON, "--no-verify")
    assert ran.out == ""
    assert "\nnext\n  layerforge publish dist/demo-" in ran.err
    assert "next" not in layerforge("build", "demo", "--python", PYTHON, "--no-verify", "-q").err


# --- help


@pytest.mark.parametrize("words", every_command())
def test_every_command_takes_quiet_and_verbose_and_tells_of_its_options(words: str) -> None:
    options = [one for one in parsed(words).params if isinstance(one, click.Option)]
    assert {"-q", "-v"} <= {name for one in options for name in one.opts}
    assert not [one.name for one in options if not (one.help or one.hidden)]


@pytest.mark.parametrize("words", every_command())
def test_every_command_has_an_example(words: str) -> None:
    example = "\n".join(helping.EXAMPLES[words]) if words in helping.EXAMPLES else f"layerforge {words}"
    assert "Examples:" in (parsed(words).epilog or "")
    assert example.splitlines()[0] in (parsed(words).epilog or "")


def test_what_a_command_is_called_with_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.COMMANDS:
        assert cli.run([name, "--help"]) == 0
        shown = capsys.readouterr().out
        last = shown.rpartition("Options:")[2]
        assert "\n  TARGET" not in last, name
        assert "\n  ZIP" not in last, name


# --- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_for_each_shell(shell: str) -> None:
    program = Path(sys.executable).with_name("layerforge")
    env = {"_LAYERFORGE_COMPLETE": f"{shell}_source", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([program], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"_LAYERFORGE_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.parametrize(
    ("words", "wanted"),
    [("layerforge reb", "rebuild"), ("layerforge build --com", "--compression"), ("layerforge cache in", "info")],
)
def test_completion_knows_commands_and_options(words: str, wanted: str) -> None:
    program = Path(sys.executable).with_name("layerforge")
    env = {"_LAYERFORGE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run([program], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert wanted in {line.partition(",")[2] for line in done.stdout.splitlines()}


def test_bash_completes_a_command_after_the_line_that_the_docs_give() -> None:
    line = 'eval "$(_LAYERFORGE_COMPLETE=bash_source layerforge)"'
    assert line in (DOCS / "reference.md").read_text("utf-8")
    typed = "COMP_WORDS=(layerforge reb); COMP_CWORD=1; _layerforge_completion layerforge; echo ${COMPREPLY[@]}"
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", f"{line}; {typed}"], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "rebuild\n", "")


def test_the_way_from_other_tools_names_commands_and_options_that_there_are() -> None:
    text = (DOCS / "coming-from.md").read_text("utf-8")
    lines = [line.partition("#")[0].split() for line in text.splitlines() if line.startswith("layerforge ")]
    assert len(lines) >= 8
    for _, name, *words in lines:
        known = {option for one in command(name).params for option in one.opts}
        assert {word for word in words if word.startswith("-")} <= known, name
    for place in ("README.md", "docs/reference.md"):
        assert "coming-from.md" in (ROOT / place).read_text("utf-8")
