"""``build``, ``plan`` and ``lock`` on small wheels, from an index that is a folder."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from program import LABEL, PYTHON, Command
from wheels import lock_of, make_wheel


@pytest.fixture
def wheel(index: Path) -> Path:
    """The one wheel of the index."""
    return make_wheel(
        index, files={"demo/__init__.py": b"VALUE = 1\n", "demo/tests/test_it.py": b"def test_it(): pass\n" * 60}
    )


def a_recipe(folder: Path, wheel: Path, extra: str = "", *, build: str = "") -> Path:
    folder.mkdir(parents=True)
    head = f'schema = 2\n[package]\nname = "demo"\nversions = ">=1"\n{build}[layer]\nrequires = ["demo"]\n'
    (folder / "recipe.toml").write_text(head + extra)
    (folder / "requirements.lock").write_text(lock_of(wheel))
    return folder


# --- build


def test_a_layer_is_built_and_shown_with_what_to_do_next(layerforge: Command, wheel: Path, tmp_path: Path) -> None:
    ran = layerforge("build", "demo", "--python", PYTHON, "--engine", "host")
    assert (ran.code, ran.out) == (0, "")
    made = f"dist/demo-{LABEL}.zip"
    assert (tmp_path / made).is_file()
    lines = ran.err.splitlines()
    assert made in lines
    assert "  demo 1.0" in lines
    [smaller] = [line for line in lines if line.startswith("  smaller by ")]
    assert smaller.startswith("  smaller by 1.2 kB: prune 1.2 kB; bytecode adds ")
    assert f"  layerforge publish {made} --region R  publishes it" in lines
    with zipfile.ZipFile(tmp_path / made) as zipped:
        assert "python/demo/tests/test_it.py" not in zipped.namelist()


def test_a_layer_that_is_made_twice_is_said_to_be_reproducible(layerforge: Command, wheel: Path) -> None:
    ran = layerforge("build", "demo", "--python", PYTHON, "--engine", "host", "--verify-twice", "--json")
    assert ran.code == 0
    [layer] = json.loads(ran.out)["layers"]
    assert layer["reproducible"] is True
    assert f"demo-{LABEL} was made twice, the same " in ran.err


def test_layers_are_not_made_twice_by_a_cluster(layerforge: Command, wheel: Path) -> None:
    ran = layerforge("build", "demo", "--python", PYTHON, "--verify-twice", "--cluster", "local:1")
    assert ran.code == 2
    assert "leave --cluster out" in ran.err


@pytest.mark.parametrize("address", ["nonsense", "local:0", "tcp://127.0.0.1:1", "tls://build.example.org"])
def test_a_cluster_that_is_not_there_is_told_before_anything_is_resolved(layerforge: Command, address: str) -> None:
    ran = layerforge("build", "absent", "--python", PYTHON, "--cluster", address)
    assert ran.code == 5
    assert "✕ cluster: " in ran.err
    assert "resolve" not in ran.err


def test_a_build_as_json_is_the_contract_and_nothing_else_is_on_standard_output(
    layerforge: Command, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    ran = layerforge("build", "demo", "--python", PYTHON, "--no-verify", "--json", "-q")
    [layer] = ran.json["layers"]
    assert (layer["name"], layer["engine"], layer["findings"], layer["figures"]) == ("demo", "host", [], None)
    assert layer["packages"] == [{"name": "demo", "version": "1.0", "origin": "wheel"}]
    assert "not verified" in ran.err
    assert "next" not in ran.err
    assert f"demo-{LABEL}" in (tmp_path / "summary.md").read_text()


def test_a_layer_with_an_error_is_not_written_and_points_at_its_recipe(
    layerforge: Command, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    bad = make_wheel(index, files={"demo/__init__.py": b"raise ImportError('no luck')\n"})
    ran = layerforge("build", f"{a_recipe(tmp_path / 'mine/demo', bad)}", "--python", PYTHON, "--engine", "host")
    assert ran.code == 7
    assert "no luck" in ran.err
    assert "file=mine/demo/recipe.toml" in ran.out + ran.err
    assert not list((tmp_path / "dist").glob("*.zip"))


def test_what_a_recipe_compiles_takes_a_container_and_its_wheels_stand_in_for_it(
    layerforge: Command, wheel: Path, tmp_path: Path
) -> None:
    folder = a_recipe(tmp_path / "mine/demo", wheel, build='build = "source"\n')
    ran = layerforge("build", folder, "--python", PYTHON, "--engine", "host")
    assert ran.code == 0, ran.err
    assert "demo comes from its wheel: compiling it takes a container engine" in ran.err
    refused = layerforge("build", folder, "--python", PYTHON, "--engine", "host", "--from-source", "demo")
    assert refused.code == 5
    assert "compiling demo takes a container engine and its image" in refused.err
    assert "leave `--engine host` out" in refused.err


def test_an_output_that_takes_no_files_is_refused_before_anything_is_resolved(
    layerforge: Command, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ran = layerforge("build", "absent", "--output", "file")
    assert ran.code == 2
    assert "nothing can be written to file" in ran.err


def test_what_a_layer_has_to_fit_into_is_read_before_anything_else(layerforge: Command) -> None:
    ran = layerforge("build", "absent", "--fit", "60")
    assert ran.code == 2
    assert ran.err.count("direct, a size such as 60MB") == 1
    assert "--fit '60' must be direct" in ran.err
    assert "resolve" not in ran.err


def test_a_build_tells_what_was_chosen_for_its_layer_to_fit(layerforge: Command, index: Path) -> None:
    text = b"".join(b"# %s\n" % hashlib.sha256(b"%d" % n).hexdigest().encode() for n in range(2000))
    make_wheel(index, files={"demo/__init__.py": text})
    plain = layerforge("build", "demo", "--python", PYTHON, "--engine", "host", "--json").json["layers"][0]
    assert plain["fit"] is None
    limit = f"{plain['zip_bytes'] // 2} bytes"
    for _ in ("made", "from the store"):
        ran = layerforge("build", "demo", "--python", PYTHON, "--engine", "host", "--fit", limit, "--json")
        assert ran.code == 0, ran.err
        [layer] = ran.json["layers"]
        assert layer["fit"]["taken"] == ["--compression small", "--bytecode only"]
        assert layer["fit"]["fits"] is True
        assert [one["zipped"] for one in layer["fit"]["tries"]][::2] == [plain["zip_bytes"], layer["zip_bytes"]]
        assert "zipped: --compression small --bytecode only\n" in ran.err
        assert "    as asked  " in ran.err


def test_a_layer_that_does_not_fit_ends_with_the_code_of_one_that_is_not_fit(
    layerforge: Command, wheel: Path, tmp_path: Path
) -> None:
    ran = layerforge("build", "demo", "--python", PYTHON, "--engine", "host", "--fit", "1000 bytes")
    assert ran.code == 7
    assert "does not fit 1.0 kB zipped" in ran.err
    assert "allow more with `--fit 0.1MB`" in ran.err
    assert not list((tmp_path / "dist").iterdir())
    assert layerforge("build", "demo", "--python", PYTHON, "--engine", "host", "--fit", "0.1MB").code == 0


# --- plan


def test_a_plan_tells_what_may_be_chosen_for_its_layer_to_fit(layerforge: Command, wheel: Path) -> None:
    given = ("plan", "demo", "--python", PYTHON, "--engine", "host", "--fit", "direct")
    lines = layerforge(*given, "--bytecode", "beside").out.splitlines()
    assert lines[-2:] == [
        "  fits a direct upload, 52.4 MB zipped; may be chosen for that: --compression small, --compression max",
        "  compression auto",
    ]
    told = layerforge(*given, "--compression", "small", "--json").json["fit"]
    assert (told["zipped"], told["required"], told["may"]) == (52_428_800, True, ["--bytecode only"])


def test_a_plan_names_its_steps_and_makes_nothing(layerforge: Command, wheel: Path, tmp_path: Path) -> None:
    ran = layerforge("plan", "demo", "--python", PYTHON, "--engine", "host")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0].startswith(f"demo-{LABEL}: key ")
    assert "  wheel demo 1.0" in lines
    assert any(line.startswith("  bytecode beside, docstrings") and "compiled by" in line for line in lines)
    assert lines[-1].startswith("  compression ")
    assert not (tmp_path / "dist").exists()


def test_one_plan_is_itself_in_json_and_several_are_a_list(layerforge: Command, wheel: Path, tmp_path: Path) -> None:
    one = layerforge("plan", "demo", "--python", PYTHON, "--engine", "host", "--json").json
    assert one["steps"][0]["name"] == "demo"
    other = make_wheel(tmp_path, "other")
    both = layerforge("plan", "demo", other, "--each", "--python", PYTHON, "--engine", "host", "--json").json["plans"]
    assert len(both) == 2
    assert one in both


# --- lock


def test_a_lock_is_written_where_it_belongs(layerforge: Command, wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "wants.txt").write_text("demo\n")
    folder = a_recipe(tmp_path / "mine/demo", wheel)
    (folder / "requirements.lock").unlink()
    own = "mine/demo/requirements.lock"
    for target, place in (("demo", "demo.lock"), ("./wants.txt", "wants.lock"), ("mine/demo", own)):
        ran = layerforge("lock", target)
        assert ran.code == 0, ran.err
        assert "demo==1.0" in (tmp_path / place).read_text()


def test_what_a_link_leads_to_becomes_the_lock_and_the_link_stays(
    layerforge: Command, wheel: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.lock").symlink_to("elsewhere/real.lock")
    ran = layerforge("lock", "demo", "-o", "link.lock")
    assert ran.code == 0, ran.err
    assert (tmp_path / "link.lock").is_symlink()
    assert "demo==1.0" in (tmp_path / "elsewhere/real.lock").read_text()
