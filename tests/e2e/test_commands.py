"""Whole commands on small real wheels, from an index that is a folder."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from program import LABEL, NO_ENGINE, PYTHON, Command, program
from wheels import lock_of, make_wheel


@pytest.fixture
def layerforge(index: Path, tmp_path: Path) -> Command:
    assert index.is_dir()
    return program(tmp_path)


def a_recipe(folder: Path, lock: str, extra: str = "", requires: str = "demo") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    head = f'schema = 2\n[package]\nname = "demo"\nversions = ">=1"\n[layer]\nrequires = ["{requires}"]\n'
    text = head + extra
    (folder / "recipe.toml").write_text(text)
    (folder / "requirements.lock").write_text(lock)
    return folder


def test_a_requirement_becomes_a_verified_layer(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index, requires=["other"])
    make_wheel(index, "other", "2.0")
    ran = layerforge("build", "demo", "--python", PYTHON, "--json")
    assert ran.code == 0, ran.err
    [layer] = ran.json["layers"]
    assert layer["path"] == f"dist/demo-{LABEL}.zip"
    assert layer["packages"] == [
        {"name": "demo", "version": "1.0", "origin": "wheel"},
        {"name": "other", "version": "2.0", "origin": "wheel"},
    ]
    assert layer["findings"] == []
    assert (layer["python"], layer["arch"], layer["engine"]) == (PYTHON, "x86_64", "host")
    assert {one["pass"] for one in layer["saved"]} >= {"bytecode", "record"}
    assert set(ran.json["seconds"]) >= {"resolve", "install", "compress", "verify"}
    names = sorted(path.name for path in (tmp_path / "dist").iterdir())
    tails = (".licences.txt", ".lock", ".manifest.json", ".sbom.json", ".zip")
    assert names == [f"demo-{LABEL}{tail}" for tail in tails]
    zipped = tmp_path / "dist" / f"demo-{LABEL}.zip"
    assert layer["zip_bytes"] == zipped.stat().st_size
    with zipfile.ZipFile(zipped) as made:
        assert "python/demo/__init__.py" in made.namelist()
        assert f"python/demo/__pycache__/__init__.cpython-{PYTHON.replace('.', '')}.pyc" in made.namelist()


def test_machine_output_is_only_given_when_asked_for(layerforge: Command, index: Path) -> None:
    make_wheel(index)
    ran = layerforge("build", "demo", "--python", PYTHON)
    assert ran.out == ""
    assert "sha256" in ran.err


def test_the_same_layer_comes_out_wherever_and_however_it_is_built(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    names = {"demo/__init__.py": b"S = {'a', 'b', None}\n", "demo/\xc3\xa9.py": b"", "demo/z.py": b"'''doc'''\n" * 50}
    make_wheel(index, files=names)
    digests = set()
    for number, (umask, env) in enumerate(
        [
            (0o022, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}),
            (0o077, {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"}),
        ]
    ):
        folder = tmp_path / f"place-{number}" / "deeper"
        folder.mkdir(parents=True)
        own = {"LAYERFORGE_CACHE": str(folder / "store"), "UV_CACHE_DIR": str(folder / "uv"), **env}
        before = os.umask(umask)
        try:
            ran = layerforge("build", "demo", "--python", PYTHON, "--json", env=own, cwd=folder)
        finally:
            os.umask(before)
        assert ran.code == 0, ran.err
        files = sorted((folder / "dist").iterdir())
        digests.add(tuple(path.read_bytes() for path in files))
    assert len(digests) == 1


def test_the_second_build_comes_from_the_store(layerforge: Command, index: Path, tmp_path: Path) -> None:
    lock = lock_of(make_wheel(index))
    recipe = a_recipe(tmp_path / "mine" / "demo", lock)
    first = layerforge("build", recipe, "--python", PYTHON, "--json")
    shutil.rmtree(index)
    shutil.rmtree(tmp_path / "uv-cache")
    traced = {"PYTHONPROFILEIMPORTTIME": "1"}
    command = ("build", recipe, "--python", PYTHON, "--engine", "host", "--json", "--output", "elsewhere")
    second = layerforge(*command, env=traced)
    assert second.code == 0, second.err
    loaded = {line.rpartition("|")[2].strip() for line in second.err.splitlines() if line.startswith("import time:")}
    assert "layerforge.pipeline" in loaded
    assert not loaded & {"boto3", "docker", "cyclonedx", "rich.progress"}
    assert second.json["layers"][0]["sha256"] == first.json["layers"][0]["sha256"]
    assert (tmp_path / "elsewhere" / f"demo-{LABEL}.zip").is_file()


def test_a_corrupted_store_is_noticed_and_the_layer_made_again(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    make_wheel(index)
    first = layerforge("build", "demo", "--python", PYTHON, "--json")
    for file in (tmp_path / "store/store-v2/values").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:-1] + b"!")
    second = layerforge("build", "demo", "--python", PYTHON, "--json")
    assert second.code == 0, second.err
    assert "was damaged" in second.err
    assert second.json["layers"][0]["sha256"] == first.json["layers"][0]["sha256"]


def test_bytecode_only_ships_no_sources_and_still_imports(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    ran = layerforge("build", "demo", "--python", PYTHON, "--bytecode", "only", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["layers"][0]["findings"] == []
    with zipfile.ZipFile(tmp_path / "dist" / f"demo-{LABEL}.zip") as made:
        assert "python/demo/__init__.pyc" in made.namelist()
        assert not [name for name in made.namelist() if name.endswith(".py")]


def test_a_layer_for_another_machine_is_built_and_says_that_it_was_not_run(layerforge: Command, index: Path) -> None:
    make_wheel(index, tag=f"cp{PYTHON.replace('.', '')}-abi3-manylinux_2_17_aarch64")
    ran = layerforge("build", "demo", "--python", PYTHON, "--arch", "arm64", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["layers"][0]["arch"] == "arm64"
    assert "not run: this machine's processor is" in ran.err


def test_a_layer_that_does_not_import_is_refused_and_set_aside(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, files={"demo/__init__.py": b"import nothing_of_that_name\n"})
    ran = layerforge("build", "demo", "--python", PYTHON)
    assert ran.code == 7
    assert "LF401" in ran.err
    assert "nothing_of_that_name" in ran.err
    assert not list((tmp_path / "dist").iterdir())
    aside = tmp_path / "store/store-v2/refused" / f"demo-{LABEL}.zip"
    assert str(aside) in ran.err.replace("\n", "")
    assert layerforge("inspect", aside).code == 0
    assert layerforge("build", "demo", "--python", PYTHON, "--no-verify").code == 0


def test_what_ran_on_one_python_counts_for_no_other(layerforge: Command, index: Path) -> None:
    make_wheel(index)
    other = "3.13" if PYTHON != "3.13" else "3.12"
    for python in (PYTHON, other):
        ran = layerforge("build", "demo", "--bytecode", "none", "--python", python)
        assert ran.code == 0, ran.err
        assert "verified before" not in ran.err
    assert "verified before" in layerforge("build", "demo", "--bytecode", "none", "--python", other).err


def test_a_layer_that_failed_once_is_run_again(layerforge: Command, index: Path, tmp_path: Path) -> None:
    recipe = a_recipe(tmp_path / "mine" / "demo", lock_of(make_wheel(index)), '[check]\nscript = "check.py"\n')
    # No file of this machine can be seen by the check, so it fails for ever; the clock tells the runs apart.
    (recipe / "check.py").write_text("import time\nraise ValueError(time.time_ns())\n")
    first, second = (layerforge("build", recipe, "--python", PYTHON) for _ in range(2))
    assert (first.code, second.code) == (7, 7)
    words = [re.search(r"ValueError: (\d+)", ran.err) for ran in (first, second)]
    assert words[0] is not None
    assert words[1] is not None
    assert words[0][1] != words[1][1]


def test_verify_takes_the_check_and_budget_from_the_manifest(layerforge: Command, index: Path, tmp_path: Path) -> None:
    recipe = a_recipe(tmp_path / "mine" / "demo", lock_of(make_wheel(index)), '[check]\nscript = "check.py"\n')
    (recipe / "check.py").write_text("import demo\nassert demo.VALUE == 2\n")
    assert layerforge("build", recipe, "--python", PYTHON, "--no-verify").code == 0
    ran = layerforge("verify", f"dist/demo-{LABEL}.zip", "--json")
    assert ran.code == 7
    assert [one["rule"] for one in ran.json["findings"]] == ["LF402"]


def test_nothing_to_install_is_told(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    (tmp_path / "none.txt").write_text("demo; sys_platform == 'win32'\n")
    ran = layerforge("build", "none.txt", "--python", PYTHON)
    assert ran.code == 4
    assert "nothing is required" in ran.err


def test_a_job_summary_that_cannot_be_written_costs_no_layer(layerforge: Command, index: Path) -> None:
    make_wheel(index)
    ran = layerforge("build", "demo", "--python", PYTHON, env={"GITHUB_STEP_SUMMARY": "/nonexistent/summary"})
    assert ran.code == 0
    assert "summary cannot be written" in ran.err


def test_compiling_without_a_container_engine_is_an_engine_error(layerforge: Command, index: Path) -> None:
    make_wheel(index)
    for arguments in (["--from-source", "demo"], ["--engine", "docker"], ["--image", "some"]):
        ran = layerforge("build", "demo", "--python", PYTHON, *arguments)
        assert ran.code == 5, ran.err
        assert "→" in ran.err


def test_a_recipes_check_and_budget_decide(layerforge: Command, index: Path, tmp_path: Path) -> None:
    lock = lock_of(make_wheel(index))
    recipe = a_recipe(tmp_path / "mine" / "demo", lock, '[check]\nscript = "check.py"\n')
    (recipe / "check.py").write_text("import demo\nassert demo.VALUE == 2, 'wrong value'\n")
    ran = layerforge("build", recipe, "--python", PYTHON)
    assert ran.code == 7
    assert "LF402" in ran.err
    assert "wrong value" in ran.err
    (recipe / "check.py").write_text("import demo\nassert demo.VALUE == 1\n")
    assert layerforge("build", recipe, "--python", PYTHON).code == 0
    a_recipe(tmp_path / "mine" / "demo", lock, 'budget = { unzipped = "10 bytes" }\n')
    ran = layerforge("build", recipe, "--python", PYTHON)
    assert ran.code == 7
    assert "LF303" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["build", "demo", "--python", "3.9"], 2, ["3.10, 3.11, 3.12, 3.13, 3.14"]),
        (["build", "demo", "--arch", "arm46"], 2, ["perhaps you meant arm64"]),
        (["build", "not a requirement!"], 2, ["neither a recipe"]),
        (["build", "./absent"], 3, ["does not exist"]),
        (["build", "scikit-lern", "--python", PYTHON], 3, ["perhaps you meant scikit-learn"]),
        (["build", "qwertyuiop", "--python", PYTHON], 4, ["there is no package qwertyuiop"]),
        (["build", "demo", "demo.txt", "sub/demo.txt"], 3, ["does not exist"]),
        (["build", "demo", "--lock", "absent.lock", "--python", PYTHON], 4, ["absent.lock cannot be read"]),
        (["build", "demo", "--output", "/dev/null/dist", "--python", PYTHON], 2, ["nothing can be written to"]),
        (["build", "demo", "--compression", "tiny"], 2, ["fast", "small", "max"]),
        (["bild"], 2, ["perhaps you meant 'build'"]),
        (["inspect", "absent.zip"], 2, ["absent.zip"]),
    ],
)
def test_bad_input_has_its_exit_code_and_a_hint(
    layerforge: Command, arguments: list[str], code: int, words: list[str]
) -> None:
    ran = layerforge(*arguments)
    assert ran.code == code, ran.err
    for word in words:
        assert word in ran.err.replace("\n", " ")


def test_an_invalid_source_date_epoch_is_told(layerforge: Command) -> None:
    ran = layerforge("build", "demo", "--python", PYTHON, env={"SOURCE_DATE_EPOCH": "yesterday"})
    assert ran.code == 2
    assert "seconds since 1970" in ran.err


def test_no_network_is_a_lock_error_that_says_what_to_check(layerforge: Command, tmp_path: Path) -> None:
    config = tmp_path / "closed.toml"
    config.write_text('index-url = "http://127.0.0.1:9/simple"\n')
    env = {"UV_CONFIG_FILE": str(config), "UV_HTTP_RETRIES": "0", "NO_PROXY": "127.0.0.1"}
    ran = layerforge("build", "demo", "--python", PYTHON, env=env)
    assert ran.code == 4
    assert "cannot be reached" in ran.err


def test_a_stale_lock_is_told_before_anything_is_installed(layerforge: Command, index: Path, tmp_path: Path) -> None:
    recipe = a_recipe(tmp_path / "mine" / "demo", lock_of(make_wheel(index)), requires="demo>=2")
    ran = layerforge("build", recipe, "--python", PYTHON)
    assert ran.code == 4
    assert "the lock is stale" in ran.err
    assert "layerforge lock" in ran.err
    assert "install" not in ran.err


def test_a_wrong_hash_in_the_lock_is_refused(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    recipe = a_recipe(tmp_path / "mine" / "demo", f"demo==1.0 --hash=sha256:{'0' * 64}\n")
    ran = layerforge("build", recipe, "--python", PYTHON)
    assert ran.code == 4
    assert "does not have the hash" in ran.err
    assert not list((tmp_path / "dist").iterdir())


def test_a_layer_above_lambdas_limit_names_what_is_largest(layerforge: Command, index: Path) -> None:
    make_wheel(index, files={"demo/__init__.py": b"", "demo/huge.bin": bytes(263_000_000)})
    ran = layerforge("build", "demo", "--python", PYTHON)
    assert ran.code == 7
    assert "263.0 MB  demo" in ran.err
    assert "--bytecode only" in ran.err


def test_lock_then_build_never_resolves_again(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    recipe = a_recipe(tmp_path / "mine" / "demo", "")
    ran = layerforge("lock", recipe, "--python", PYTHON)
    assert ran.code == 0, ran.err
    text = (recipe / "requirements.lock").read_text()
    assert "demo==1.0" in text
    assert "://" not in text
    make_wheel(index, version="2.0")
    ran = layerforge("build", recipe, "--python", PYTHON, "--json")
    assert ran.json["layers"][0]["packages"][0]["version"] == "1.0"


def test_the_lock_beside_a_layer_builds_it_again(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    first = layerforge("build", "demo", "--python", PYTHON, "--json")
    make_wheel(index, version="2.0")
    lock = tmp_path / "dist" / f"demo-{LABEL}.lock"
    second = layerforge("build", "demo", "--lock", lock, "--python", PYTHON, "--json", "--output", "again")
    assert second.json["layers"][0]["sha256"] == first.json["layers"][0]["sha256"]


def test_a_plan_is_printed_as_data_before_anything_happens(layerforge: Command, index: Path, tmp_path: Path) -> None:
    recipe = a_recipe(tmp_path / "mine" / "demo", lock_of(make_wheel(index)))
    ran = layerforge("plan", recipe, "--python", PYTHON, "--json")
    assert ran.code == 0, ran.err
    assert [step["name"] for step in ran.json["steps"]] == ["demo"]
    assert "wheel demo 1.0" in layerforge("plan", recipe, "--python", PYTHON).out
    assert not (tmp_path / "dist").exists()


def test_verify_and_inspect_of_a_built_layer_find_nothing(layerforge: Command, index: Path) -> None:
    make_wheel(index)
    layerforge("build", "demo", "--python", PYTHON)
    zipped = f"dist/demo-{LABEL}.zip"
    assert layerforge("verify", zipped, "--json").json["findings"] == []
    seen = layerforge("inspect", zipped, "--json").json
    assert seen["findings"] == []
    assert seen["bytecode"] == {"valid": 1}
    assert [(one["name"], one["version"]) for one in seen["packages"]] == [("demo", "1.0")]


def test_inspect_of_a_plain_target_folder_names_what_is_wrong(layerforge: Command, index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(index)
    argv = ["--target", str(tmp_path / "plain/python"), "--no-deps", "--no-index", "--no-compile", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", *argv], check=True)
    # A zip keeps even seconds only, so an odd one makes the bytecode stale, as half of all do.
    os.utime(tmp_path / "plain/python/demo/__init__.py", (1_700_000_001, 1_700_000_001))
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(tmp_path / "plain/python")], check=True)
    shutil.make_archive(str(tmp_path / "plain-layer"), "zip", tmp_path / "plain")
    seen = layerforge("inspect", "plain-layer.zip", "--json").json
    assert {one["rule"] for one in seen["findings"]} == {"LF202", "LF204"}
    assert seen["bytecode"] == {"stale": 1}
    assert layerforge("verify", "plain-layer.zip").code == 0


def test_doctor_recipes_and_cache_answer_in_json(layerforge: Command, index: Path) -> None:
    make_wheel(index)
    layerforge("build", "demo", "--python", PYTHON)
    checks = {one["name"]: one["good"] for one in layerforge("doctor", "--json").json["checks"]}
    assert checks["uv"]
    assert checks[f"python{PYTHON}"]
    names = [one["name"] for one in layerforge("recipes", "--json").json["recipes"]]
    assert "scikit-learn" in names
    assert layerforge("cache", "info", "--json").json["kinds"]["archive"]["count"] == 1
    assert "add --yes" in layerforge("cache", "clear").err
    assert layerforge("cache", "clear", "--yes").code == 0
    assert layerforge("cache", "info", "--json").json["kinds"] == {}


def test_a_job_summary_is_written_where_github_asks_for_one(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    summary = tmp_path / "summary.md"
    layerforge("build", "demo", "--python", PYTHON, env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert f"| `demo-{LABEL}.zip` |" in summary.read_text()


def _slow_recipe(index: Path, folder: Path) -> Path:
    recipe = a_recipe(folder, lock_of(make_wheel(index)), '[check]\nscript = "check.py"\n')
    (recipe / "check.py").write_text("import time\ntime.sleep(60)\n")
    return recipe


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_build_leaves_nothing_half_written(
    layerforge: Command, index: Path, tmp_path: Path, number: signal.Signals
) -> None:
    recipe = _slow_recipe(index, tmp_path / "mine" / "demo")
    env = {**os.environ, **NO_ENGINE, "LAYERFORGE_CACHE": str(tmp_path / "store")}
    argv = [sys.executable, "-m", "layerforge", "build", str(recipe), "--python", PYTHON]
    with subprocess.Popen(argv, env=env, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as child:
        try:
            while not list((tmp_path / "store").glob("store-v2/values/layer/*/*")):
                assert child.poll() is None
                time.sleep(0.02)
            child.send_signal(number)
            _, err = child.communicate(timeout=30)
        finally:
            child.kill()
    assert child.returncode == (-9 if number is signal.SIGKILL else 130)
    assert not list((tmp_path / "dist").iterdir())
    if number is not signal.SIGKILL:
        assert "interrupted" in err
        assert not list((tmp_path / "store/store-v2/work").glob("tmp*"))
    (recipe / "check.py").write_text("")
    assert layerforge("build", recipe, "--python", PYTHON).code == 0
    assert not list((tmp_path / "store/store-v2/work").glob("tmp*"))


def test_two_builds_at_once_share_a_store(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    env = {**os.environ, **NO_ENGINE, "LAYERFORGE_CACHE": str(tmp_path / "store")}
    argv = [sys.executable, "-m", "layerforge", "build", "demo", "--python", PYTHON, "--output"]
    children = [
        subprocess.Popen([*argv, f"out-{number}"], env=env, cwd=tmp_path, stderr=subprocess.PIPE) for number in range(3)
    ]
    errors = [child.communicate(timeout=120)[1].decode() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], errors
    zips = {path.read_bytes() for path in tmp_path.glob("out-*/*.zip")}
    assert len(zips) == 1
    assert layerforge("cache", "info").code == 0


def fill(file: Path) -> None:
    """Writes until the disk is full."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as opened:
        while opened.write(bytes(4096)):
            pass


def test_a_full_disk_is_told_and_leaves_nothing(layerforge: Command, index: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes rights that this user does not have")
    try:
        make_wheel(index, files={"demo/__init__.py": b"", "demo/noise.bin": os.urandom(3_000_000)})
        ran = layerforge("build", "demo", "--python", PYTHON, env={"LAYERFORGE_CACHE": str(small)})
        assert ran.code == 6
        assert "no space is left" in ran.err
        ran = layerforge("build", "demo", "--python", PYTHON, "--output", small / "dist")
        assert ran.code == 6
        assert not list((small / "dist").iterdir())
        make_wheel(index, version="2.0")
        own = {"LAYERFORGE_CACHE": str(small / "store")}
        assert layerforge("build", "demo", "--python", PYTHON, "--no-verify", env=own).code == 0
        fill(small / "filler")
        ran = layerforge("build", "demo", "--python", PYTHON, env=own)
        assert ran.code == 6, ran.err
    finally:
        subprocess.run(["umount", str(small)], check=True)
