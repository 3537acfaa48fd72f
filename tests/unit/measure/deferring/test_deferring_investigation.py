"""Advice on real modules, run by this interpreter."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

import zips
from fakes import FakeProgress, target
from layerforge.core import guarded
from layerforge.core.errors import VerificationError
from layerforge.examine import examine
from layerforge.measure.coldstart.experiment import MeasuredLayer
from layerforge.measure.coldstart.functions import of_imports
from layerforge.measure.deferring import trace
from layerforge.measure.deferring.advise import Reason
from layerforge.measure.deferring.graph import Wait
from layerforge.measure.deferring.investigate import Investigation, investigate
from layerforge.measure.deferring.kept import CALLED
from layerforge.measure.deferring.lines import as_text
from layerforge.measure.deferring.owners import Owners
from layerforge.measure.deferring.trial import Trial
from layerforge.measure.deferring.writing import as_data
from unit.measure.deferring.traces import RealRuns, a_layer

INFO = {
    "lib-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: lib\nVersion: 1.0\n",
    "lib-1.0.dist-info/RECORD": "lib/a.py,,\nlib/b.py,,\nlib/__init__.py,,\n",
}
BURNS = "for one in range(200_000): pass\n"
LIB = {
    "lib/__init__.py": "from lib import a, b\n",
    "lib/a.py": "from heavy import work\ndef run():\n    return work()\n",
    "lib/b.py": "import heavy.deep\ndef run():\n    return heavy.deep.x\n",
    "heavy/__init__.py": f"{BURNS}def work():\n    return 3\n",
    "heavy/deep.py": "x = 4\n",
}
"""A package that imports another twice, and uses it in functions alone."""

WORTH = 1e-6


def investigated(
    folder: Path, files: dict[str, str], waiting: dict[str, tuple[str, ...]] | None = None
) -> tuple[Investigation, Owners]:
    files = {**INFO, **files}
    record = "".join(f"{name},,\n" for name in files if name.startswith("lib/"))
    files["lib-1.0.dist-info/RECORD"] = record
    opt = a_layer(folder / "opt", files)
    zip_file = zips.of(folder / "layer.zip", {f"python/{name}": text.encode() for name, text in files.items()})
    seen = examine.examine(zip_file)
    trial = Trial(
        engine=RealRuns(),
        target=target(),
        function=of_imports(["lib"]),
        layer=MeasuredLayer(examination=seen, opt=opt),
        waiting={"lib.a": ("light",)} if waiting else {},
    )
    owners = Owners(examination=seen, opt=str(opt), waiting=waiting or {})
    return investigate(trial, owners, 1, WORTH, FakeProgress()), owners


def named(found: Investigation) -> dict[str, dict[str, list[str]]]:
    return {one.package: {file: list(names) for file, names in one.defer.items()} for one in found.recipes}


def test_what_only_functions_use_waits_in_every_file_that_keeps_it(tmp_path: Path) -> None:
    found, owners = investigated(tmp_path, LIB)
    assert named(found)["lib"] == {"lib/a.py": ["heavy"], "lib/b.py": ["heavy.deep"]}
    [group] = found.groups
    assert (group.module, set(group.freed)) == ("heavy", {"heavy", "heavy.deep"})
    assert not found.still
    assert found.modules_after == found.modules - 2
    assert list(as_text(found.recipes[0], found.ms))[1:] == ['"lib/a.py" = ["heavy"]', '"lib/b.py" = ["heavy.deep"]']
    told = as_data(found, owners)
    assert json.loads(json.dumps(told))["groups"][0]["imports"][0] == {
        "package": "lib",
        "file": "lib/a.py",
        "module": "heavy",
    }
    assert told["together"]["still_loaded"] == []


def test_what_waits_in_the_layer_already_goes_on_waiting_and_stands_in_the_lines_too(tmp_path: Path) -> None:
    files = LIB | {"lib/a.py": f"import light\n{LIB['lib/a.py']}", "light.py": BURNS}
    found, _ = investigated(tmp_path, files, {"lib/a.py": ("light",)})
    assert named(found)["lib"] == {"lib/a.py": ["heavy", "light"], "lib/b.py": ["heavy.deep"]}
    assert found.modules_after == found.modules - 3


def test_what_the_function_asks_for_is_not_advised_away(tmp_path: Path) -> None:
    found, _ = investigated(tmp_path, {"lib/__init__.py": "from lib import a\n", "lib/a.py": BURNS})
    assert found.groups == ()
    assert found.refused[Wait("lib", "lib.a")].why == "is what the function asked for brings itself"


def test_an_import_that_is_used_while_the_module_loads_cannot_wait_and_the_line_is_told(tmp_path: Path) -> None:
    files = LIB | {"lib/b.py": "import heavy.deep\nclass B:\n    x = heavy.deep.x\n"}
    found, _ = investigated(tmp_path, files)
    assert found.groups == ()
    [one] = [one for one in found.kept if one.module == "heavy.deep"]
    assert (one.by[0].module, one.by[0].line) == ("lib.b", 3)


def test_an_import_whose_function_is_called_while_another_module_loads_is_taken_back(tmp_path: Path) -> None:
    files = LIB | {"lib/b.py": "from lib.a import run\nX = run()\n"}
    found, _ = investigated(tmp_path, files)
    assert found.groups == ()
    reason = found.refused[Wait("lib.a", "heavy")]
    assert (reason.module, reason.line) == ("lib.b", 2)


def test_an_import_without_which_the_function_fails_is_taken_back_and_the_rest_stays(tmp_path: Path) -> None:
    files = LIB | {
        "lib/a.py": "import heavy\ndef run():\n    return heavy.work()\n",
        "lib/b.py": "import sys\nassert 'heavy' in sys.modules\nimport light\ndef run():\n    return light\n",
        "light.py": BURNS,
    }
    found, _ = investigated(tmp_path, files)
    assert named(found) == {"lib": {"lib/b.py": ["light"]}}
    assert "the function fails where it waits" in found.refused[Wait("lib.a", "heavy")].why


def test_what_a_call_loads_is_told_with_the_line_of_the_call(tmp_path: Path) -> None:
    files = LIB | {
        "lib/a.py": "def load():\n    import heavy.deep\nload()\n",
        "lib/b.py": "",
    }
    found, _ = investigated(tmp_path, files)
    assert {one.module: one.by for one in found.kept}["heavy.deep"] == (Reason(module="lib.a", line=3, why=CALLED),)


def test_a_function_that_fails_by_itself_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="fails in its init phase"):
        investigated(tmp_path, {"lib/__init__.py": "1/0\n"})


def test_names_that_modules_take_from_one_another_are_seen(tmp_path: Path) -> None:
    files = LIB | {"lib/b.py": "from lib.a import work\nclass B:\n    x = work()\n"}
    found, _ = investigated(tmp_path, files)
    assert found.groups == ()


def test_lines_of_others_are_passed_over_and_what_is_cut_off_is_refused(tmp_path: Path) -> None:
    engine, word = RealRuns(), trace.new_word()
    job = Trial(
        engine=engine,
        target=target(),
        function=of_imports(["json"]),
        layer=MeasuredLayer(examination=None, opt=tmp_path),  # type: ignore[arg-type]
    ).job
    output = engine.run(trace.traced(replace(job, init="print('noise')\nimport wave\n"), word, edges=True)).output
    found = trace.told(f"{output}\nlayerforge-trace:other:xx\n", word)
    assert "wave" in found.modules
    assert any(edge.importer == "__main__" and edge.module == "wave" for edge in found.edges)
    with pytest.raises(guarded.Unreadable):
        trace.told(output[: len(output) // 2], word)
    with pytest.raises(guarded.Unreadable, match="told nothing"):
        trace.told("", word)


def test_an_import_of_which_nothing_is_read_is_told_beside_its_line(tmp_path: Path) -> None:
    files = LIB | {"lib/a.py": f"import register\n{LIB['lib/a.py']}", "register.py": BURNS}
    found, owners = investigated(tmp_path, files)
    [recipe] = found.recipes
    assert recipe.defer["lib/a.py"] == ("heavy", "register")
    assert recipe.unread == {"lib/a.py": ("register",)}
    _, first, second = as_text(recipe, found.ms)
    line, _, doubt = first.partition("  # ")
    assert line == '"lib/a.py" = ["heavy", "register"]'
    assert doubt == "nothing here reads register: perhaps it is imported for what it does as it loads"
    assert "#" not in second
    assert as_data(found, owners)["recipes"]["lib"]["unread"] == {"lib/a.py": ["register"]}
    tomllib.loads("\n".join(as_text(recipe, found.ms)))
