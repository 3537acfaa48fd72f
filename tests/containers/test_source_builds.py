"""A C library and a Python package on it, compiled from source in a container, verified in the sandbox."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from layerforge.build import interpreters
from layerforge.core.store.keys import new_key, write_new
from sdists import archive
from tiny import CHECK, LIBRARY, LIBRARY_RECIPE, PACKAGE, PACKAGE_RECIPE


@dataclass(frozen=True)
class Place:
    """Recipes of a library and a package with their sources, and the program to build them."""

    folder: Path
    build: Callable[..., subprocess.CompletedProcess[str]]
    pids: list[int]
    """Of the builds so far."""
    argv: list[str]
    env: dict[str, str]
    """Command and environment of a build, without ``--json``."""

    def at_a_terminal(self, answer: str) -> tuple[int, str]:
        """Builds at a terminal, and answers what is asked. Gives the exit code and what the terminal shows."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            self.argv, stdin=theirs, stdout=theirs, stderr=theirs, env=self.env, cwd=self.folder, start_new_session=True
        ) as process:
            os.close(theirs)
            shown, answered = "", False
            with suppress(OSError):  # how a terminal says that nobody writes to it any more
                while data := os.read(ours, 65536):
                    shown += data.decode(errors="replace")
                    if "Compile now" in shown and not answered:
                        answered = bool(os.write(ours, answer.encode()))
        os.close(ours)
        return process.returncode, shown

    def spec(self, script: str = 'make && make install PREFIX="$PREFIX"') -> None:
        sha256 = hashlib.sha256((self.folder / "sources/tiny-1.0.tar.gz").read_bytes()).hexdigest()
        self.library.write_text(LIBRARY_RECIPE.format(sha256=sha256, script=script))

    @property
    def library(self) -> Path:
        """The recipe of the library."""
        return self.folder / "recipes/tiny/recipe.toml"

    @property
    def check(self) -> Path:
        """What proves the package."""
        return self.folder / "recipes/tinypy/check.py"

    def other(self, **changes: str) -> None:
        """Adds the package ``tinytoo`` on the same library; ``changes`` are files of it."""
        files = {name.replace("tinypy", "tinytoo"): text.replace("tinypy", "tinytoo") for name, text in PACKAGE.items()}
        files |= {f"tinytoo-1.0/{name}.py": text for name, text in changes.items()}
        sdist = self.folder / "index/tinytoo-1.0.tar.gz"
        sdist.write_bytes(archive(files))
        folder = self.folder / "recipes/tinytoo"
        folder.mkdir(exist_ok=True)
        (folder / "recipe.toml").write_text(PACKAGE_RECIPE.replace("tinypy", "tinytoo"))
        (folder / "check.py").write_text(CHECK.replace("tinypy", "tinytoo"))
        sha256 = hashlib.sha256(sdist.read_bytes()).hexdigest()
        (folder / "requirements.lock").write_text(f"tinytoo==1.0 --hash=sha256:{sha256}\n")

    def gets(self, package: str) -> None:
        """Lets the library be compiled with a package of the image's system."""
        self.library.write_text(self.library.read_text().replace("packages = []", f'packages = ["{package}"]'))


@pytest.fixture
def place(tmp_path: Path, standin: str) -> Place:
    if interpreters.find("3.13") is None:
        pytest.skip("there is no CPython 3.13 here")
    for name in ("recipes/tiny", "recipes/tinypy", "sources", "index"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "sources/tiny-1.0.tar.gz").write_bytes(archive(LIBRARY))
    sdist = tmp_path / "index/tinypy-1.0.tar.gz"
    sdist.write_bytes(archive(PACKAGE))
    lock = f"tinypy==1.0 --hash=sha256:{hashlib.sha256(sdist.read_bytes()).hexdigest()}\n"
    (tmp_path / "recipes/tinypy/recipe.toml").write_text(PACKAGE_RECIPE)
    (tmp_path / "recipes/tinypy/requirements.lock").write_text(lock)
    (tmp_path / "recipes/tinypy/check.py").write_text(CHECK)

    env = {**os.environ, "LAYERFORGE_CACHE": str(tmp_path / "store"), "UV_FIND_LINKS": str(tmp_path / "index")}
    common = [sys.executable, "-m", "layerforge", "build", "tinypy", "--recipes", "recipes", "--engine", "docker"]
    common += ["--image", standin, "--sources", "sources"]

    def build(*arguments: str, store: str = "store") -> subprocess.CompletedProcess[str]:
        argv = [*common, "--json", *arguments]  # the last --image counts
        own = {**env, "LAYERFORGE_CACHE": str(tmp_path / store)}
        with subprocess.Popen(
            argv, env=own, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            pids.append(running.pid)
            out, err = running.communicate()
        return subprocess.CompletedProcess(argv, running.returncode, out, err)

    pids: list[int] = []
    made = Place(tmp_path, build, pids, common, {name: value for name, value in env.items() if name != "CI"})
    made.spec()
    return made


@pytest.fixture(scope="module")
def with_a_list(standin: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The stand-in with a package list of its own, which needs no network: it has one package with one program."""
    folder, tag = tmp_path_factory.mktemp("debs"), f"layerforge-test-debs:{os.getpid()}"
    program, control = folder / "root/usr/bin/greeter", folder / "root/DEBIAN/control"
    for path in (program, control):
        path.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    fields = "Package: greeter\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@nowhere.invalid>\n"
    control.write_text(f"{fields}Description: greets\n")
    deb = folder / "greeter_1.0_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", folder / "root", deb], check=True, capture_output=True)
    shutil.rmtree(folder / "root")
    digest, size = hashlib.sha256(deb.read_bytes()).hexdigest(), deb.stat().st_size
    (folder / "Packages").write_text(f"{fields}Filename: ./{deb.name}\nSize: {size}\nSHA256: {digest}\n\n")
    source = "deb [trusted=yes] file:/opt/debs ./"
    (folder / "Dockerfile").write_text(
        f"FROM {standin}\nCOPY . /opt/debs\n"
        f"RUN rm -rf /etc/apt/sources.list* && echo '{source}' > /etc/apt/sources.list\n"
    )
    subprocess.run(["docker", "build", "--quiet", "--tag", tag, folder], check=True, capture_output=True)
    yield tag
    argv = ["docker", "image", "ls", "--quiet", "--filter", f"since={tag}", "layerforge-build"]
    made = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(["docker", "image", "rm", "--force", *made, tag], check=True, capture_output=True)


def layer_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    [layer] = json.loads(done.stdout)["layers"]
    assert isinstance(layer, dict)
    return layer


def leftovers() -> list[str]:
    """Containers whose process has ended. Others may run meanwhile: an engine is shared."""
    argv = ["docker", "ps", "--all", "--filter", "label=layerforge", "--format", '{{.Label "layerforge.pid"}}']
    pids = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    return [pid for pid in pids if not Path("/proc", pid).exists()]


def test_a_library_and_a_package_on_it_become_a_layer_that_runs_in_the_sandbox(place: Place) -> None:
    done = place.build()
    layer = layer_of(done)
    assert layer["engine"] == "docker"
    assert layer["findings"] == []
    assert layer["figures"]["init_ms"] > 0
    assert 0 < layer["figures"]["import_seconds"] < layer["figures"]["init_ms"] / 1000
    assert layer["figures"]["peak_memory"] > 2**20
    assert [(one["name"], one["origin"]) for one in layer["packages"]] == [("tiny", "compiled"), ("tinypy", "compiled")]
    with zipfile.ZipFile(place.folder / layer["path"]) as made:
        names = made.namelist()
    assert {"lib/libtiny.so.1", "lib/libgfortran.so.5", "python/tinypy/__init__.py"} <= set(names)
    assert not [name for name in names if name.endswith((".c", ".h"))]
    assert re.search(r"no findings; run on docker; init [\d,]+ ms, peak [\d.]+ MB, import \d", done.stderr)
    assert leftovers() == []


def test_the_sbom_and_the_licences_tell_what_a_compiled_layer_is_made_of(place: Place, standin: str) -> None:
    (place.folder / "sources/tiny-1.0.tar.gz").write_bytes(archive({**LIBRARY, "tiny-1.0/COPYING": "Tiny is free.\n"}))
    place.spec()
    path = place.folder / layer_of(place.build("--no-verify"))["path"]
    sbom = path.with_suffix(".sbom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom) is None
    document = json.loads(sbom)
    told = {one["name"].removeprefix("layerforge:"): one["value"] for one in document["metadata"]["properties"]}
    argv = ["docker", "image", "inspect", "--format", "{{.Id}}", standin]
    image = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    assert (told["image"], told["image_digest"]) == (standin, image)
    assert "clang" in told["compiler:cc"]
    parts = {one["name"]: one for one in document["components"]}
    source = hashlib.sha256((place.folder / "sources/tiny-1.0.tar.gz").read_bytes()).hexdigest()
    [reference] = parts["tiny"]["externalReferences"]
    assert reference["url"] == "https://nowhere.invalid/tiny-1.0.tar.gz"
    assert reference["hashes"] == [{"alg": "SHA-256", "content": source}]
    [library] = parts["tiny"]["components"]
    with zipfile.ZipFile(path) as made:
        assert library["hashes"][0]["content"] == hashlib.sha256(made.read("lib/libtiny.so.1")).hexdigest()
    sdist = hashlib.sha256((place.folder / "index/tinypy-1.0.tar.gz").read_bytes()).hexdigest()
    assert {"name": "layerforge:source_sha256", "value": sdist} in parts["tinypy"]["properties"]
    needs = {row["ref"]: row.get("dependsOn", []) for row in document["dependencies"]}
    assert needs[parts["tinypy"]["bom-ref"]] == [parts["tiny"]["bom-ref"]]
    fortran = next(one for one in parts.values() if "libgfortran.so.5" in str(one.get("components")))
    assert re.match(r"pkg:(rpm|deb)/\w+/libgfortran\d*@[\d.]+.*&distro=\w+-\d+&upstream=gcc", fortran["purl"])
    texts = path.with_suffix(".licences.txt").read_text()
    assert "--- tiny-1.0/COPYING\n\nTiny is free.\n" in texts
    assert "GCC Runtime Library Exception" in texts or "GCC RUNTIME LIBRARY EXCEPTION" in texts


def test_a_recipe_gets_packages_of_the_images_system_for_its_steps_alone(place: Place, with_a_list: str) -> None:
    place.spec('test "$(greeter)" = hello && make && make install PREFIX="$PREFIX"')
    without = place.build("--image", with_a_list)
    assert without.returncode == 6
    assert (
        "the program greeter is missing: name the image's package that brings it in [build] packages" in without.stderr
    )
    place.gets("greeter")
    done = place.build("--image", with_a_list)
    layer = layer_of(done)
    assert layer["findings"] == []
    assert "image" in json.loads(done.stdout)["seconds"]
    again = place.build("--image", with_a_list)
    assert layer_of(again)["sha256"] == layer["sha256"]
    assert "image" not in json.loads(again.stdout)["seconds"]
    # The check ran in the plain image: what steps are given is not there on Lambda.
    place.check.write_text(CHECK + "import shutil\nassert not shutil.which('greeter')\n")
    assert layer_of(place.build("--image", with_a_list))["findings"] == []


def test_a_package_that_the_images_system_does_not_have_is_an_error_that_shows_why(
    place: Place, with_a_list: str
) -> None:
    place.gets("nowhere-at-all")
    done = place.build("--image", with_a_list)
    assert done.returncode == 5
    assert "Unable to locate package nowhere-at-all" in done.stderr
    assert "are the packages called so in the image" in done.stderr


def test_an_unchanged_build_starts_no_step_again_and_an_empty_store_gives_the_same_bytes(place: Place) -> None:
    first = layer_of(place.build())
    again = place.build("--compression", "small", "--no-verify")
    assert again.stderr.count("from the store, ") == 3
    assert layer_of(again)["content_sha256"] == first["content_sha256"]
    assert layer_of(place.build(store="another"))["content_sha256"] == first["content_sha256"]


def test_a_layer_that_is_the_same_twice_is_delivered_and_said_to_be(place: Place) -> None:
    done = place.build("--verify-twice")
    layer = layer_of(done)
    assert layer["reproducible"] is True
    assert re.search(r"tinypy-py313-x86_64 was made twice, the same [\d,]+ bytes", done.stderr)
    assert done.stderr.count("compiles twice tiny 1.0") == 1
    again = layer_of(place.build())
    assert (again["sha256"], "reproducible" in again) == (layer["sha256"], False)
    assert leftovers() == []


@pytest.mark.parametrize("what", ["date +%s%N", "head -c 8 /dev/urandom | od -x"])
def test_a_step_that_writes_the_time_or_chance_into_its_result_is_named(what: str, place: Place) -> None:
    place.spec(f'make && make install PREFIX="$PREFIX" && {what} > "$PREFIX/include/stamp.h"')
    done = place.build("--verify-twice")
    assert done.returncode == 6
    assert "the layer tinypy is not reproducible: made twice, tiny came out in two ways" in done.stderr
    assert re.search(r"include/stamp\.h: [0-9a-f]{12}, then [0-9a-f]{12}$", done.stderr, re.MULTILINE)
    assert not list(place.folder.glob("dist/*"))
    found = sorted((place.folder / "store").glob("store-v2/refused/tinypy-py313-x86_64-twice/*/tiny.tar"))
    assert [path.parent.name for path in found] == ["first", "second"]
    assert leftovers() == []


def test_two_layers_of_one_call_share_the_library_that_both_are_compiled_on(place: Place) -> None:
    place.other()
    both = place.build("tinytoo", "--each", "--jobs", "2")
    assert both.returncode == 0, both.stderr
    told = json.loads(both.stdout)
    assert [one["name"] for one in told["layers"]] == ["tinypy", "tinytoo"]
    assert told["failed"] == []
    assert [(one["name"], one["at"]) for one in told["cost"]["steps"]] == [
        ("tiny", "make"),
        ("tinypy", "make"),
        ("tinytoo", "make"),
    ]
    names = sorted(path.name.split("-")[0] for path in (place.folder / "store/store-v2/logs").glob("*.log"))
    assert [name for name in names if name.startswith("tiny")] == ["tiny", "tinypy", "tinytoo"]
    assert len(re.findall(r"^✓ tiny ", both.stderr, re.MULTILINE)) == 1
    assert re.search(r"^tinytoo-py313-x86_64 .* none", both.stderr, re.MULTILINE)
    assert layer_of(place.build(store="other"))["sha256"] == told["layers"][0]["sha256"]


def test_a_layer_that_does_not_compile_leaves_the_other_one_whole(place: Place) -> None:
    place.other(setup="raise SystemExit('it does not compile')\n")
    both = place.build("tinytoo", "--each")
    assert both.returncode == 6
    told = json.loads(both.stdout)
    assert [one["name"] for one in told["layers"]] == ["tinypy"]
    [failed] = told["failed"]
    assert (failed["name"], failed["python"], failed["arch"]) == ("tinytoo", "3.13", "x86_64")
    assert failed["error"]["exit_code"] == 6
    assert "tinytoo failed with status 1" in failed["error"]["message"]
    assert re.search(r"^tinytoo-py313-x86_64 +failed: tinytoo failed with status 1", both.stderr, re.MULTILINE)
    assert "it does not compile" in both.stderr.partition("✕ build:")[2]
    assert sorted(path.suffix for path in (place.folder / "dist").glob("*.zip")) == [".zip"]


def test_the_workers_of_a_cluster_make_the_same_layers_and_each_step_once(place: Place) -> None:
    place.other()
    away = place.build("tinytoo", "--each", "--cluster", "local:2")
    assert away.returncode == 0, away.stderr
    assert len(re.findall(r"^  tiny 1.0 on local-\d in ", away.stderr, re.MULTILINE)) == 1
    assert re.search(r"✓ cluster +\d jobs on \d workers?", away.stderr)
    here = place.build("tinytoo", "--each", store="other")
    digests = [[one["sha256"] for one in json.loads(done.stdout)["layers"]] for done in (away, here)]
    assert digests[0] == digests[1]
    assert not leftovers()


def test_what_fails_on_a_worker_is_told_as_if_it_had_failed_here(place: Place) -> None:
    place.spec(script="echo this goes wrong; exit 3")
    done = place.build("--cluster", "local:2")
    assert done.returncode == 6, done.stderr
    assert "this goes wrong" in done.stderr
    [log] = re.findall(r"the whole log: (\S+)", done.stderr)
    assert "this goes wrong" in Path(log).read_text()
    assert not leftovers()


def test_what_a_team_shares_is_compiled_once_and_comes_to_every_other_machine_with_its_log(place: Place) -> None:
    pair = new_key("team")
    write_new(pair, place.folder / "team.key")
    shared = ["--store", str(place.folder / "far"), "--trusted-key", pair.public.text]
    first = layer_of(place.build(*shared, "--signing-key", "team.key"))

    planned = place.build(*shared, "--from-source", "tinypy", "--compression", "small", "--no-verify", store="second")
    assert {one["at"] for one in json.loads(planned.stdout)["cost"]["steps"]} == {"far"}
    assert layer_of(planned)["content_sha256"] == first["content_sha256"]
    assert not list((place.folder / "second/store-v2/logs").glob("tiny*.log"))
    [step] = [one["key"] for one in json.loads(planned.stdout)["cost"]["steps"] if one["name"] == "tiny"]
    argv = [sys.executable, "-m", "layerforge", "cache", "log", step, *shared]
    told = subprocess.run(argv, env={**place.env, "LAYERFORGE_CACHE": str(place.folder / "third")}, cwd=place.folder,
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert "cc " in told.stdout or "gcc" in told.stdout


def test_a_rebuild_with_nothing_changed_starts_no_container(place: Place) -> None:
    began = datetime.now(UTC).isoformat()
    layer_of(place.build())
    layer_of(place.build())
    argv = ["docker", "events", "--since", began, "--until", datetime.now(UTC).isoformat(), "--filter", "event=create"]
    argv += ["--format", '{{index .Actor.Attributes "layerforge.pid"}}']
    owners = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    first, again = map(str, place.pids)
    assert first in owners
    assert again not in owners


def test_what_compiling_costs_is_said_before_and_what_it_took_the_next_time(place: Place) -> None:
    first = place.build()
    assert layer_of(first)
    assert json.loads(first.stdout)["cost"]["unknown"] == ["tiny", "tinypy"]
    lines = first.stderr.splitlines()
    told = lines.index("  compiles tiny 1.0 (nobody knows how long), tinypy 1.0 (nobody knows how long)")
    assert told < lines.index("  tiny      step 1 of 2, nobody knows how long")
    shutil.rmtree(place.folder / "store/store-v2/values/layer")
    again = json.loads(place.build("--no-verify").stdout)["cost"]
    assert (again["seconds"], again["unknown"]) == (0, [])
    assert [(one["name"], one["in_store"], one["basis"]) for one in again["steps"]] == [
        ("tiny", True, "measured"),
        ("tinypy", True, "measured"),
    ]
    assert all(one["seconds"] > 0 for one in again["steps"])


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ("n\n", 130, "interrupted; nothing half-written is left behind"),
        ("\x04", 2, "the question whether to compile got no answer"),
        ("y\n", 0, "dist/tinypy-py313-x86_64.zip"),
    ],
)
def test_a_person_at_a_terminal_is_asked_before_it_takes_long(place: Place, answer: str, code: int, words: str) -> None:
    recipe = place.folder / "recipes/tinypy/recipe.toml"
    recipe.write_text(recipe.read_text().replace('build = "source"', 'build = "source"\nminutes = 31'))
    ended, shown = place.at_a_terminal(answer)
    assert (ended, shown.count("Compile now, for about 31 min?")) == (code, 1)
    assert words in shown
    assert (place.folder / "store/store-v2/values/built").exists() == (code == 0)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("cc -c missing.c -include zlib.h", "failed with status"),
        ("true", "ended well but did not make lib/libtiny.so.1"),
        ("python3 -c 'import urllib.request as u; u.urlopen(\"http://192.0.2.1\", timeout=3)'", "failed with status"),
    ],
)
def test_a_script_that_fails_or_makes_nothing_is_a_failed_step_with_a_log(
    place: Place, script: str, words: str
) -> None:
    place.spec(script)
    done = place.build()
    assert done.returncode == 6, done.stderr
    assert words in done.stderr
    assert list((place.folder / "store/store-v2/logs").glob("tiny-*.log"))
    assert not list((place.folder / "dist").iterdir())
    assert leftovers() == []


def test_a_check_that_fails_in_the_sandbox_refuses_the_layer(place: Place) -> None:
    place.check.write_text("import os\nos.abort()\n")
    done = place.build()
    assert done.returncode == 7
    assert "LF403" in done.stderr
    assert leftovers() == []
