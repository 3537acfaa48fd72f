"""``layerforge rebuild`` on real zips, which pip and uv install at run time from an index that is a folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import uv

import elves
from program import LABEL, PYTHON, Command, program
from wheels import make_wheel

Installer = Callable[..., Path]


@pytest.fixture
def layerforge(index: Path, tmp_path: Path) -> Command:
    assert index.is_dir()
    return program(tmp_path, COLUMNS="200")


@pytest.fixture
def installed(index: Path, tmp_path: Path) -> Installer:
    """Installs requirements as people do, and zips the folder."""

    def install(
        name: str, *requirements: str, into: str = "python", options: tuple[str, ...] = (), by: str = "uv"
    ) -> Path:
        root = tmp_path / f"made-{name}"
        place = root / into
        programs = {
            "pip": [sys.executable, "-m", "pip", "install", "--quiet", "--find-links", str(index)],
            "uv": [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable, "--compile-bytecode"],
        }
        argv = [*programs[by], "--no-index", *options, "--target", str(place), *requirements]
        subprocess.run(argv, check=True, cwd=tmp_path)
        return zipped(root, tmp_path / f"{name}.zip")

    return install


def zipped(root: Path, path: Path) -> Path:
    shutil.make_archive(str(path.with_suffix("")), "zip", root)
    return path


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


@pytest.mark.parametrize("by", ["pip", "uv"])
def test_a_zip_becomes_a_verified_layer_of_the_very_same_versions(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path, by: str
) -> None:
    make_wheel(index, "demo", "1.0", requires=["other"])
    make_wheel(index, "other", "2.0")
    made = installed("mine", "demo", by=by)
    make_wheel(index, "demo", "9.0")
    make_wheel(index, "other", "9.0")
    ran = layerforge("rebuild", made, "--json")
    assert ran.code == 0, ran.err
    layer = ran.json["layer"]
    assert [(one["name"], one["version"]) for one in layer["packages"]] == [("demo", "1.0"), ("other", "2.0")]
    assert (layer["path"], layer["findings"], ran.json["arch"]) == (f"dist/mine-{LABEL}.zip", [], "x86_64")
    assert ran.json["python"] == PYTHON
    # A zip holds every other second only, so that bytecode may be older than its source in it.
    assert {"LF204"} <= {one["rule"] for one in ran.json["before"]["findings"]} <= {"LF202", "LF204"}
    changes = ran.json["changes"]
    assert changes["zip_bytes"]["before"] == made.stat().st_size
    assert changes["zip_bytes"]["after"] == (tmp_path / layer["path"]).stat().st_size
    assert not [one for one in changes["packages"] if one["name"] and one["before"] != one["after"]]


def test_before_and_after_stand_on_one_screen_and_what_to_do_next_below(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    make_wheel(index)
    made = installed("mine", "demo")
    ran = layerforge("rebuild", made, "--html", "page.html", env={"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")})
    assert ran.code == 0, ran.err
    lines = [line.split() for line in ran.out.splitlines()]
    assert ["before", "after", "ratio"] in lines
    assert [line[-1] for line in lines if line[:1] == ["findings"]] == ["none"]
    assert [line[-1] for line in lines if line[:1] in (["unzipped"], ["zipped"])] == ["×", "×"]
    assert "before: LF204 warning" in ran.out
    assert "after: LF" not in ran.out
    assert "cold starts were not measured: that takes a container engine" in ran.out
    assert f"layerforge publish dist/mine-{LABEL}.zip --region R" in ran.err
    assert len(ran.out.splitlines()) + len(ran.err.splitlines()) <= 40
    assert f"mine-{LABEL}.zip" in (tmp_path / "page.html").read_text()
    assert "| unzipped |" in (tmp_path / "summary").read_text()


def test_what_the_zip_holds_is_not_run_on_this_machine_unless_it_is_said(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    make_wheel(index)
    made = installed("mine", "demo")
    plain = layerforge("rebuild", made, "--json")
    assert plain.json["before"]["import_seconds"] is None
    assert "the zip's own code is not run on this machine" in " ".join(plain.json["remarks"])
    ran = layerforge("rebuild", made, "--run")
    assert ran.code == 0, ran.err
    [row] = [line.split() for line in ran.out.splitlines() if line.startswith("import, one run")]
    assert [word for word in row if word == "ms"] == ["ms", "ms"]


def test_a_functions_zip_is_built_as_a_layer_and_its_own_code_stays_out(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    make_wheel(index)
    installed("fn", "demo", into="")
    (tmp_path / "made-fn/app.py").write_text("import demo\n")
    ran = layerforge("rebuild", zipped(tmp_path / "made-fn", tmp_path / "fn.zip"))
    assert ran.code == 0, ran.err
    assert "! own code, 12 bytes, left out: 1 file of no package: app.py" in ran.err
    assert "as a function's code" in ran.err
    assert "12 bytes of what was before are not in the new layer" in ran.out
    found = names(tmp_path / f"dist/fn-{LABEL}.zip")
    assert "python/demo/__init__.py" in found
    assert not [name for name in found if "app" in name]


def test_own_code_comes_along_where_it_is_asked_for(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    make_wheel(index)
    installed("fn", "demo", into="")
    (tmp_path / "made-fn/app.py").write_text("import demo\n")
    (tmp_path / "made-fn/templates").mkdir()
    (tmp_path / "made-fn/templates/a.html").write_text("hi")
    made = zipped(tmp_path / "made-fn", tmp_path / "fn.zip")
    ran = layerforge("rebuild", made, "--keep-code", "--json")
    assert ran.code == 0, ran.err
    assert [one["kept"] for one in ran.json["not_of_an_index"]] == [True]
    found = names(tmp_path / f"dist/fn-{LABEL}.zip")
    assert {"python/app.py", "python/templates/a.html"} <= set(found)
    assert "fn-code==0" in (tmp_path / f"dist/fn-{LABEL}.lock").read_text()


def test_a_project_that_was_installed_from_its_folder_is_asked_of_no_index(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    """A stranger's package of that name and version lies there."""
    make_wheel(index)
    own = make_wheel(tmp_path / "own", "helpers", "1.0", {"helpers/__init__.py": b"MINE = 1\n"})
    make_wheel(index, "helpers", "1.0", {"helpers/__init__.py": b"THEIRS = 1\n"})
    made = installed("mine", "demo", str(own))
    ran = layerforge("rebuild", made)
    assert ran.code == 0, ran.err
    assert "! helpers 1.0, " in ran.err
    assert "left out: it was installed from a file, not from an index" in ran.err
    assert not [name for name in names(tmp_path / f"dist/mine-{LABEL}.zip") if "helpers" in name]
    kept = layerforge("rebuild", made, "--keep-code", "-o", "kept")
    assert kept.code == 0, kept.err
    with zipfile.ZipFile(tmp_path / f"kept/mine-{LABEL}.zip") as layer:
        assert layer.read("python/helpers/__init__.py") == b"MINE = 1\n"


def test_versions_that_no_index_has_end_the_call_with_all_of_them_named(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "demo", "1.0", requires=["torch", "gone"])
    gone = [make_wheel(index, "torch", "2.0+cu12"), make_wheel(index, "gone", "1.0")]
    made = installed("mine", "demo")
    for wheel in gone:
        wheel.unlink()
    make_wheel(index, "torch", "2.0")
    ran = layerforge("rebuild", made)
    assert ran.code == 4
    assert "2 packages of mine.zip cannot be had in the same version" in ran.err
    assert "gone 1.0, " in ran.err
    assert "no index has a package of that name" in ran.err
    assert "torch 2.0+cu12, " in ran.err
    assert "`--leave-out gone --leave-out torch` builds without them" in ran.err
    assert not (tmp_path / f"dist/mine-{LABEL}.zip").exists()

    without = layerforge("rebuild", made, "--leave-out", "gone", "--leave-out", "torch", "--json")
    assert without.code == 0, without.err
    assert [one["name"] for one in without.json["layer"]["packages"]] == ["demo"]
    kept = layerforge("rebuild", made, "--keep-code", "--json")
    assert kept.code == 0, kept.err
    versions = {one["name"]: one["version"] for one in kept.json["layer"]["packages"]}
    assert versions == {"demo": "1.0", "gone": "1.0", "torch": "2.0+cu12"}


def test_what_the_zip_was_without_stays_out(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "demo", "1.0", requires=["boto3", "plain<2"])
    make_wheel(index, "boto3", "1.0")
    make_wheel(index, "plain", "1.0")
    made = installed("mine", "demo", options=("--no-deps",))
    ran = layerforge("rebuild", made, "--json", "--no-verify")
    assert ran.code == 0, ran.err
    assert [one["name"] for one in ran.json["layer"]["packages"]] == ["demo"]
    assert ran.json["lacking"] == ["boto3", "plain"]
    out = {one["name"]: one["why"] for one in ran.json["layer"]["left_out"]}
    assert out == {"boto3": "runtime", "plain": "asked"}


def test_versions_that_do_not_go_together_are_said_and_built(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "demo", "1.0", requires=["other<2"])
    make_wheel(index, "other", "2.5")
    made = installed("mine", "demo", "other", options=("--no-deps",))
    ran = layerforge("rebuild", made)
    assert ran.code == 0, ran.err
    assert "! demo 1.0 requires other<2, and 2.5 is there" in ran.err


def test_what_the_runtime_has_stays_unless_it_is_left_out(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "demo", "1.0", requires=["six"])
    make_wheel(index, "six", "1.0", {"six.py": b"x = 1\n"})
    made = installed("mine", "demo")
    kept = layerforge("rebuild", made, "--json")
    assert [one["name"] for one in kept.json["layer"]["packages"]] == ["demo", "six"]
    ran = layerforge("rebuild", made, "--json", "--leave-out", "runtime", "--no-verify")
    assert ran.code == 0, ran.err
    assert [one["name"] for one in ran.json["layer"]["packages"]] == ["demo"]


def test_a_strangers_package_of_the_same_name_and_version_is_told(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    own = make_wheel(index, "helpers", "1.0", {"helpers/__init__.py": b"MINE = 1\n"}, metadata="Summary: mine\n")
    made = installed("mine", "helpers")
    own.unlink()
    make_wheel(index, "helpers", "1.0", {"helpers/__init__.py": b"THEIRS = 1\n"})
    ran = layerforge("rebuild", made)
    assert ran.code == 0, ran.err
    assert "no file of helpers 1.0 is as it was" in ran.out


def test_the_zip_itself_is_never_written_over(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    make_wheel(index)
    made = installed(f"mine-{LABEL}", "demo")
    before = made.read_bytes()
    ran = layerforge("rebuild", made, "-o", ".")
    assert ran.code == 2
    assert "would take the place of" in ran.err
    assert made.read_bytes() == before
    assert layerforge("rebuild", made).code == 0
    assert (tmp_path / f"dist/mine-{LABEL}.zip").exists()


def test_a_zip_from_a_mac_is_built_for_the_processor_that_is_named(
    layerforge: Command, installed: Installer, index: Path, tmp_path: Path
) -> None:
    """Its native code is for another system, and tells no more than the Python."""
    tag = f"cp{PYTHON.replace('.', '')}"
    for platform, files in (
        ("macosx_11_0_arm64", {f"fast/core.cpython-{tag[2:]}-darwin.so": b"\xcf\xfa\xed\xfe" + bytes(60)}),
        ("manylinux_2_17_x86_64", {"fast/core.abi3.so": elves.image()}),
    ):
        make_wheel(index, "fast", "1.0", {"fast/__init__.py": b"", **files}, tag=f"{tag}-{tag}-{platform}")
    wheel = next(index.glob("fast-*macosx*"))
    root = tmp_path / "mac"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(root / "python")
    made = zipped(root, tmp_path / "mac.zip")
    ran = layerforge("rebuild", made)
    assert ran.code == 2
    assert "none of Lambda's processors: Mach-O" in ran.err
    done = layerforge("rebuild", made, "--arch", "x86_64", "--json")
    assert done.code == 0, done.err
    assert (done.json["python"], done.json["arch"]) == (PYTHON, "x86_64")
    assert "error" in [one["severity"] for one in done.json["before"]["findings"]]
    assert "python/fast/core.abi3.so" in names(tmp_path / f"dist/mac-{LABEL}.zip")


def test_without_metadata_there_are_no_versions(layerforge: Command, tmp_path: Path) -> None:
    (tmp_path / "slim/python/demo").mkdir(parents=True)
    (tmp_path / "slim/python/demo/__init__.py").touch()
    made = zipped(tmp_path / "slim", tmp_path / "slim.zip")
    ran = layerforge("rebuild", made)
    assert ran.code == 7
    assert "slim.zip holds no metadata of packages" in ran.err
    assert "slim: true" in ran.err


def test_a_python_that_nothing_tells_is_asked_for(layerforge: Command, index: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(make_wheel(index)) as archive:
        archive.extractall(tmp_path / "bare/python")
    made = zipped(tmp_path / "bare", tmp_path / "bare.zip")
    ran = layerforge("rebuild", made)
    assert ran.code == 2
    assert "nothing in bare.zip tells which Python it is for" in ran.err
    assert layerforge("rebuild", made, "--python", PYTHON).code == 0


def test_a_layer_of_layerforges_own_is_built_again_to_the_same_bytes(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "demo", "1.0", requires=["other"])
    make_wheel(index, "other", "2.0")
    first = layerforge("build", "demo", "--python", PYTHON)
    assert first.code == 0, first.err
    ran = layerforge("rebuild", f"dist/demo-{LABEL}.zip", "-o", "again", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["changes"]["same_content"]
    assert json.loads((tmp_path / f"again/demo-{LABEL}.manifest.json").read_text())["content_sha256"]
