from __future__ import annotations

import zipfile
from pathlib import Path

from fakes import target
from layerforge.core.findings import Finding, Severity
from layerforge.examine.examination import Member
from layerforge.examine.examine import examine
from layerforge.verify.dead_programs import dead_programs
from layerforge.verify.rules import judge
from layerforge.verify.rules_table import Expect
from zips import a_member, an_examination

EXPECT = Expect(target=target())
VENV = "/home/me/venv/bin/python3"


def a_script(path: str, started_by: str = VENV, mode: int = 0o100755) -> Member:
    return a_member(path, b"#!x\n", started_by=started_by, mode=mode)


def found(*members: Member) -> list[Finding]:
    return list(dead_programs(an_examination(*members), EXPECT))


def test_a_program_that_names_the_python_of_another_machine_is_found() -> None:
    [finding] = found(a_script("bin/f2py"))
    assert (finding.rule, finding.severity, finding.path) == ("LF308", Severity.WARNING, "bin/f2py")
    assert finding.message == f"is started with {VENV}, which neither Lambda nor the layer has"


def test_all_of_them_are_one_finding() -> None:
    [finding] = found(*(a_script(f"bin/{name}", "ruby") for name in "abcdef"))
    assert finding.path == "bin/a"
    assert finding.message.endswith(
        "; 5 more programs cannot be started: bin/b (ruby), bin/c (ruby), bin/d (ruby) and 2 more"
    )


def test_programs_that_lambda_or_the_layer_can_start_are_none() -> None:
    names = ("/bin/sh", "bash", "python3", "/var/lang/bin/python3.13", "own", "/opt/bin/own")
    scripts = [a_script(f"bin/{at}", name) for at, name in enumerate(names)]
    assert found(*scripts, a_member("bin/own", b"\x7fELF", mode=0o100755), a_member("bin/notes.txt")) == []


def test_elsewhere_only_what_is_executable_and_no_module_is_a_program() -> None:
    lost = [
        a_script("python/bin/f2py"),
        a_script("python/pkg/run", "/usr/bin/ruby"),
        a_script("python/pkg/run.rb.py", "ruby"),
        a_script("extensions/agent", "node"),
    ]
    fine = [
        a_script("python/pkg/cli.py"),
        a_script("python/lib/python3.13/site-packages/pkg/cli.py"),
        a_script("python/pkg/data.sh", "/usr/bin/zsh", 0o100644),
    ]
    assert [one.path for one in found(*fine)] == []
    assert [one.path for script in lost for one in found(script)] == [script.path for script in lost]


def test_any_zip_is_read_for_it_whoever_made_it(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    files = {
        "bin/short": b"#!/home/me/venv/bin/python\nimport pkg\n",
        "bin/long": b"#!/bin/sh\n'''exec' '/a path/python' \"$0\" \"$@\"\n' '''\nimport pkg\n",
        "bin/plain": b"#!/bin/sh\nexec true\n",
        "bin/large": b"#!/usr/bin/env node\n" + bytes(9 << 20),
        "bin/endless": b"#!" + b"x" * 10_000,
        "python/pkg/__init__.py": b"",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    examination = examine(path)
    names = {member.path: member.started_by for member in examination.members}
    assert len(names.pop("bin/endless")) < 5_000
    assert names == {
        "python/pkg/__init__.py": "",
        "bin/short": "/home/me/venv/bin/python",
        "bin/long": "/a path/python",
        "bin/plain": "/bin/sh",
        "bin/large": "node",
    }
    [finding] = [one for one in judge(examination, EXPECT) if one.rule == "LF308"]
    assert finding.path == "bin/endless"
    assert "3 more programs" in finding.message
    assert len(finding.message) < 400
    assert "bin/plain" not in finding.message
