from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes import FakeEngine, target
from layerforge.build.engine import Outcome
from layerforge.core.findings import Finding
from layerforge.examine.examination import Member
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.verify.imports import Imports
from layerforge.verify.rules import judge
from layerforge.verify.rules_table import Expect
from layerforge.verify.run_check import Checked, run_check
from layerforge.verify.verifying import verify
from zips import a_member, an_elf, an_examination

OUT = (
    LeftOut(name="python-dateutil", version="2.9", why=Why.RUNTIME),
    LeftOut(name="huge", version="1.0", why=Why.ASKED),
)


def failing(error: str, *, what: str = "demo", left_out: tuple[LeftOut, ...] = OUT) -> Checked:
    lines = [{"failed": what, "error": error, "trace": []}, {"done": True}]
    output = "".join(f"\nlayerforge-check:{json.dumps(line)}\n" for line in lines)
    engine = FakeEngine([Outcome(status=0, output=output, seconds=1.0)])
    return run_check(engine, target(), Path("/opt"), Imports(needed=("demo",)), (), 5.0, left_out=left_out, word="")


@pytest.mark.parametrize(
    ("error", "named"),
    [
        ("ModuleNotFoundError: No module named 'dateutil'", "python-dateutil away"),
        ("ModuleNotFoundError: No module named 'huge.part'", "huge away"),
        ("ModuleNotFoundError: No module named 'of_another_name'", "python-dateutil or huge away"),
        ("ImportError: Unable to import required dependency huge. See the traceback.", "taken huge away"),
        ("RuntimeError: python_dateutil needs to be installed", "taken python-dateutil away"),
    ],
)
def test_a_module_that_lacks_what_was_left_out_says_which_option_took_it(error: str, named: str) -> None:
    [found] = failing(error).findings
    assert (found.rule, found.message) == ("LF401", f"import demo: {error}")
    assert found.hint.startswith("--leave-out has taken ")
    assert named in found.hint


def test_a_check_that_lacks_what_was_left_out_says_so_too() -> None:
    [found] = failing("ModuleNotFoundError: No module named 'huge'", what="demo/check.py").findings
    assert (found.rule, found.hint.partition(",")[0]) == ("LF402", "--leave-out has taken huge away")


def test_other_errors_and_whole_layers_have_the_hints_that_they_had() -> None:
    [found] = failing("ModuleNotFoundError: No module named 'huge'", left_out=()).findings
    assert "--leave-out" not in found.hint
    [found] = failing("ValueError: 1").findings
    assert "--leave-out" not in found.hint
    [found] = failing("ValueError: 1", what="demo/check.py").findings
    assert found.hint.startswith("run check.py against the same packages")


def test_the_job_has_the_folder_of_the_runtimes_packages() -> None:
    engine = FakeEngine([Outcome(status=0, output='\nlayerforge-check:{"done": true}\n', seconds=1.0)])
    run_check(engine, target(), Path("/opt"), Imports(), (), 5.0, runtime=Path("/there"), word="")
    assert engine.jobs[0].runtime == Path("/there")


def missing(left_out: tuple[LeftOut, ...], *more: Member) -> Finding:
    held = Expect(target=target(), spec=LayerSpec(name="x", requires=("x",), left_out=left_out))
    seen = an_examination(an_elf("python/l/l.so", needed=("libnccl.so.2",)), *more)
    [one] = [one for one in judge(seen, held) if one.rule == "LF103"]
    return one


def test_a_missing_library_may_be_that_of_a_package_that_was_left_out() -> None:
    assert missing(OUT).hint == "perhaps --leave-out has taken it away with huge: let that in"
    assert "--leave-out" not in missing(OUT[:1]).hint  # the runtime's packages bring no library
    assert "--leave-out" not in missing(()).hint
    assert "--leave-out" not in missing(OUT, an_elf("python/other/libnccl.so.2")).hint


def test_a_zip_above_the_limit_is_told_what_of_it_could_go_first(tmp_path: Path) -> None:
    big = an_examination(a_member("python/a", size=262_144_001))
    advice = ("Lambda has no graphics processor for nvidia-x: 9 MB; `--leave-out nvidia-x` leaves it out",)
    verdict = verify(big, Expect(target=target()), FakeEngine([]), tmp_path, advice=advice, unrun="")
    [one] = [one for one in verdict.findings if one.rule == "LF301"]
    assert one.hint.startswith(f"{advice[0]}; leave a package out, ")
