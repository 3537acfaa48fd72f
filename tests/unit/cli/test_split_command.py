"""``split``, and ``build`` of what it planned, on small wheels from an index that is a folder."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from layerforge.resolve import layers_lock
from program import LABEL, PYTHON, Command
from projects import project_files, write
from wheels import lock_of, make_wheel

PROJECT = f"""\
python = "{PYTHON}"

[function.api]
requires = ["web"]

[function.report]
requires = ["paper", "base"]
"""
HOST = ("--engine", "host")


@pytest.fixture
def project(index: Path, tmp_path: Path) -> Path:
    """A project of two functions, which both need ``base``."""
    make_wheel(index, "base", files={"base/__init__.py": b"VALUE = 1\n" * 9000})
    make_wheel(index, "web", requires=["base"], files={"web/__init__.py": b"import base\n"})
    make_wheel(index, "paper", files={"paper/__init__.py": b"VALUE = 3\n"})
    (tmp_path / "layerforge.toml").write_text(PROJECT)
    return tmp_path


def names(folder: Path) -> list[str]:
    """The zips that were delivered."""
    return sorted(path.name.removesuffix(f"-{LABEL}.zip") for path in (folder / "dist").glob("*.zip"))


def layers(folder: Path) -> dict[str, list[str]]:
    """What the lock says of each layer: ``name version`` of its packages."""
    lock = layers_lock.read(folder / layers_lock.FILE)
    assert lock is not None
    return {layer.name: [f"{one.name} {one.version}" for one in layer.packages] for layer in lock.target[0].layer}


# --- split


def test_a_split_shows_layers_and_functions_and_writes_its_lock(layerforge: Command, project: Path) -> None:
    ran = layerforge("split", *HOST)
    assert ran.code == 0
    assert layers(project) == {"shared-base": ["base 1.0"], "api": ["web 1.0"], "report": ["paper 1.0"]}
    lines = [line.split() for line in ran.out.splitlines()]
    assert [line[-1] for line in lines if line[:1] == ["shared-base"]] == ["base"]
    [api] = [line for line in lines if line[:2] == ["api", "shared-base,"]]
    assert (api[2], api[-1]) == ("api", "0.0%")


def test_a_split_as_json_has_bytes_and_waste(layerforge: Command, project: Path) -> None:
    [found] = layerforge("split", *HOST, "--json").json["targets"]
    assert (found["python"], found["arch"]) == (PYTHON, "x86_64")
    shared = found["layers"][0]
    assert (shared["name"], shared["functions"]) == ("shared-base", ["api", "report"])
    assert shared["unzipped_bytes"] == sum(one["bytes"] for one in shared["packages"]) > 90_000
    assert [(one["name"], one["layers"], one["waste"]) for one in found["functions"]] == [
        ("api", ["shared-base", "api"], 0.0),
        ("report", ["shared-base", "report"], 0.0),
    ]


def test_the_bytes_that_were_measured_are_those_of_the_layer(layerforge: Command, project: Path) -> None:
    layerforge("split", *HOST)
    made = layerforge("build", *HOST, "--json").json["layers"]
    lock = layers_lock.read(project / layers_lock.FILE)
    assert lock is not None
    assert {one["name"]: one["unzipped_bytes"] for one in made} == {
        layer.name: layer.bytes for layer in lock.target[0].layer
    }


def test_a_dry_run_writes_nothing(layerforge: Command, project: Path) -> None:
    assert "shared-base" in layerforge("split", *HOST, "--dry-run").out
    assert not (project / layers_lock.FILE).exists()


def test_a_second_split_installs_nothing_and_changes_nothing(layerforge: Command, project: Path) -> None:
    assert "✓ install" in layerforge("split", *HOST).err
    before = (project / layers_lock.FILE).read_bytes()
    ran = layerforge("split", *HOST)
    assert "install" not in ran.err
    assert "layers.lock stays as it is" in ran.err
    assert (project / layers_lock.FILE).read_bytes() == before


def test_another_function_changes_no_layer_though_the_index_has_newer_versions(
    layerforge: Command, project: Path, index: Path
) -> None:
    layerforge("split", *HOST)
    before = layers(project)
    make_wheel(index, "base", "2.0")
    make_wheel(index, "other")
    (project / "layerforge.toml").write_text(PROJECT + '[function.more]\nrequires = ["base", "other"]\n')
    assert layerforge("split", *HOST).code == 0
    assert layers(project) == {**before, "more": ["other 1.0"]}


def test_an_upgrade_takes_the_newest_versions(layerforge: Command, project: Path, index: Path) -> None:
    layerforge("split", *HOST)
    make_wheel(index, "base", "2.0")
    layerforge("split", *HOST, "--upgrade")
    assert ["base 2.0"] in layers(project).values()


def test_packages_that_bring_the_same_file_lie_in_one_layer(layerforge: Command, project: Path, index: Path) -> None:
    space = b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    make_wheel(index, "cloud-one", files={"cloud/__init__.py": space, "cloud/one/__init__.py": b"A = 1\n"})
    make_wheel(index, "cloud-two", files={"cloud/__init__.py": space, "cloud/two/__init__.py": b"A = 2\n"})
    text = f'python = "{PYTHON}"\n[function.a]\nrequires = ["cloud-one"]\n[function.b]\nrequires = ["cloud-two"]\n'
    (project / "layerforge.toml").write_text(text)
    layerforge("split", *HOST)
    assert list(layers(project).values()) == [["cloud-one 1.0", "cloud-two 1.0"]]
    assert layerforge("build", *HOST).code == 0


def test_functions_that_cannot_have_the_same_versions_are_split_apart_and_said(
    layerforge: Command, project: Path, index: Path
) -> None:
    make_wheel(index, "base", "2.0")
    make_wheel(index, "old", requires=["base<2"])
    text = (
        f'python = "{PYTHON}"\n[function.a]\nrequires = ["base>=2"]\n[function.b]\nrequires = ["old"]\n'
        '[function.c]\nrequires = ["base", "web"]\n'
    )
    (project / "layerforge.toml").write_text(text)
    ran = layerforge("split", *HOST)
    assert ran.code == 0, ran.err
    assert "a and b cannot have the same versions:" in ran.out
    assert "old" in ran.out.partition("cannot have the same versions:")[2]
    found = layers(project)
    assert found["shared-base"] == ["base 2.0"]
    assert found["b"] == ["base 1.0", "old 1.0"]
    assert layerforge("build", *HOST).code == 0


def test_extras_and_packages_that_a_function_leaves_out_are_followed(
    layerforge: Command, project: Path, index: Path
) -> None:
    make_wheel(
        index,
        "rich",
        requires=['paper; extra == "all"', "base"],
        metadata="Provides-Extra: all",
        files={"rich/__init__.py": b"A = 1\n"},
    )
    text = (
        f'python = "{PYTHON}"\n[function.a]\nrequires = ["rich[all]"]\n'
        '[function.b]\nrequires = ["rich"]\nleave-out = ["base"]\n'
    )
    (project / "layerforge.toml").write_text(text)
    assert layerforge("split", *HOST).code == 0
    lock = layers_lock.read(project / layers_lock.FILE)
    assert lock is not None
    assert {one.name: one.packages for one in lock.target[0].function} == {
        "a": ("base", "paper", "rich"),
        "b": ("rich",),
    }


def test_a_project_without_functions_is_told_how_to_name_one(layerforge: Command, index: Path, tmp_path: Path) -> None:
    (tmp_path / "layerforge.toml").write_text('[layer.a]\nrequires = ["base"]\n')
    ran = layerforge("split")
    assert ran.code == 2
    assert "names no functions" in ran.err


# --- whether the lock is up to date


def test_a_lock_is_checked_without_an_index(
    layerforge: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert layerforge("split", "--check").code == 4  # there is none
    layerforge("split", *HOST)
    monkeypatch.setenv("UV_CONFIG_FILE", str(project / "absent.toml"))
    assert layerforge("split", "--check").code == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('["web"]', '["web", "paper"]'), "the function api asks for something else now"),
        (("function.api]", "function.api]\nlayers = 2"), "the function api asks for something else now"),
        (("function.api", "function.face"), "the function face is not in it"),
        (
            (f'python = "{PYTHON}"', 'python = "3.12"' if PYTHON != "3.12" else 'python = "3.13"'),
            "it has no layers for",
        ),
    ],
)
def test_a_lock_that_is_out_of_date_is_no_base_for_a_build(
    layerforge: Command, project: Path, change: tuple[str, str], said: str
) -> None:
    layerforge("split", *HOST)
    (project / "layerforge.toml").write_text(PROJECT.replace(*change))
    for command in (("split", "--check"), ("build", *HOST)):
        ran = layerforge(*command)
        assert ran.code == 4
        assert said in ran.err
        assert "layerforge split" in ran.err


def test_the_hint_for_a_python_that_a_lock_lacks_writes_it(layerforge: Command, project: Path) -> None:
    layerforge("split", *HOST)
    ran = layerforge("build", *HOST, "--arch", "arm64")
    assert ran.code == 4
    command = f"layerforge split --python {PYTHON} --arch arm64"
    assert f"write it with `{command}`" in ran.err
    assert layerforge(*command.split()[1:], *HOST).code == 0
    assert layerforge("build", *HOST, "--arch", "arm64", "--no-verify").code == 0


@pytest.mark.parametrize(("options", "code"), [([], 4), (["--verify-twice"], 2), (["--fit", "9MB"], 2)])
def test_layers_beside_those_of_functions_are_not_made_where_these_cannot_be(
    options: list[str], code: int, layerforge: Command, project: Path
) -> None:
    layerforge("split", *HOST)
    text = PROJECT if options else PROJECT.replace('["web"]', '["web", "paper"]')
    (project / "layerforge.toml").write_text(text + '[layer.other]\nrequires = ["base"]\n')
    assert layerforge("build", *HOST, *options).code == code
    assert names(project) == []


# --- build


def test_a_build_without_words_makes_the_layers_and_proves_every_function(layerforge: Command, project: Path) -> None:
    layerforge("split", *HOST)
    ran = layerforge("build", *HOST)
    assert (ran.code, ran.out) == (0, "")
    assert names(project) == ["api", "report", "shared-base"]
    assert "✓ verify api" in ran.err
    assert "✓ verify report" in ran.err
    beside = json.loads((project / f"dist/api-{LABEL}.manifest.json").read_text())
    assert [(one["name"], one["why"]) for one in beside["left_out"]] == [("base", "in another layer")]
    with zipfile.ZipFile(project / f"dist/api-{LABEL}.zip") as made:
        assert "python/base/__init__.py" not in made.namelist()


def test_a_second_build_runs_nothing(layerforge: Command, project: Path) -> None:
    layerforge("split", *HOST)
    layerforge("build", *HOST)
    ran = layerforge("build", *HOST)
    assert ran.code == 0
    assert ran.err.count("(these bytes were verified before)") == 2


def test_no_layer_of_a_function_that_is_not_fit_is_written(layerforge: Command, project: Path, index: Path) -> None:
    """``broken`` has not said that it needs ``paper``, which lies in another layer: alone nothing would be wrong."""
    make_wheel(index, "broken", files={"broken/__init__.py": b"import paper\n"})
    text = PROJECT + '[function.bad]\nrequires = ["broken", "base"]\n[function.solo]\nrequires = ["idle"]\n'
    make_wheel(index, "idle")
    (project / "layerforge.toml").write_text(text)
    layerforge("split", *HOST)
    ran = layerforge("build", *HOST, "--json")
    assert ran.code == 7
    assert names(project) == ["solo"]
    assert "the layers of the function bad are not fit for Lambda together" in ran.err
    found = {one["name"]: one for one in ran.json["functions"]}
    assert "No module named 'paper'" in found["bad"]["findings"][0]["message"]
    assert found["solo"]["error"] is None
    assert (found["api"]["error"], found["api"]["held_by"], found["api"]["written"]) == (None, "bad", False)
    assert sorted(one["name"] for one in ran.json["failed"]) == ["api", "bad", "report", "shared-base"]


def test_what_a_function_carries_for_others_is_not_imported_for_it(
    layerforge: Command, project: Path, index: Path
) -> None:
    """Both clouds lie in one layer, and the second's need in one that the first's function has not."""
    space = b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    make_wheel(index, "cloud-one", files={"cloud/__init__.py": space, "cloud_one/__init__.py": b"A = 1\n"})
    files = {"cloud/__init__.py": space, "cloud_two/__init__.py": b"import paper\n"}
    make_wheel(index, "cloud-two", files=files, requires=["paper"])
    text = (
        f'python = "{PYTHON}"\n[function.a]\nrequires = ["cloud-one"]\n'
        '[function.b]\nrequires = ["cloud-two"]\n[function.c]\nrequires = ["paper"]\n'
    )
    (project / "layerforge.toml").write_text(text)
    layerforge("split", *HOST)
    assert layerforge("build", *HOST).code == 0


def test_a_build_that_verifies_nothing_writes_all(layerforge: Command, project: Path, index: Path) -> None:
    make_wheel(index, "broken", files={"broken/__init__.py": b"import absent\n"})
    (project / "layerforge.toml").write_text(PROJECT + '[function.bad]\nrequires = ["broken"]\n')
    layerforge("split", *HOST)
    ran = layerforge("build", *HOST, "--no-verify")
    assert ran.code == 0
    assert names(project) == ["api", "bad", "report", "shared-base"]


# --- verify, snippet


def test_layers_of_one_function_are_verified_together(layerforge: Command, project: Path) -> None:
    layerforge("split", *HOST)
    layerforge("build", *HOST)
    shared, api = (f"dist/{name}-{LABEL}.zip" for name in ("shared-base", "api"))
    assert layerforge("verify", *HOST, shared, api).code == 0
    alone = layerforge("verify", *HOST, api)
    assert alone.code == 7
    assert "base lies in another layer: verify all layers of a function together" in alone.out


def test_a_snippet_gives_each_function_its_own_layers(layerforge: Command, project: Path) -> None:
    layerforge("split", *HOST)
    rows: list[dict[str, object]] = [
        {
            "region": "eu-west-1",
            "runtimes": [f"python{PYTHON}"],
            "architectures": ["x86_64"],
            "env": {},
            "version_arn": f"arn:aws:lambda:eu-west-1:123456789012:layer:{name}:{number}",
            "error": None,
        }
        for number, name in enumerate(("api", "report", "shared-base", "stranger"), 1)
    ]
    (project / "arns.json").write_text(json.dumps({"schema": 1, "published": rows}))
    ran = layerforge("snippet", "arns.json", "--functions", "layers.lock", "--for", "cli")
    assert ran.code == 0
    lines = [line.strip(" \\") for line in ran.out.splitlines()]
    start = "arn:aws:lambda:eu-west-1:123456789012:layer:"
    assert f"--layers {start}shared-base:3 {start}api:1" in lines
    assert f"--layers {start}shared-base:3 {start}report:2" in lines
    assert "stranger" not in ran.out
    (project / "arns.json").write_text(json.dumps({"schema": 1, "published": rows[:2]}))
    ran = layerforge("snippet", "arns.json", "--functions", "layers.lock", "--for", "cli")
    assert ran.code == 2
    assert "shared-base in eu-west-1, for api" in ran.err


# --- other ways to ask


def test_a_wheel_beside_the_project_stays_where_it_is_named_from(
    layerforge: Command, project: Path, tmp_path: Path
) -> None:
    make_wheel(tmp_path / "wheels", "own", files={"own/__init__.py": b"import base\n"}, requires=["base"])
    text = PROJECT + '[function.own]\nrequires = ["./wheels/own-1.0-py3-none-any.whl"]\n'
    (project / "layerforge.toml").write_text(text)
    layerforge("split", *HOST)
    assert 'address = "./wheels/own-1.0-py3-none-any.whl"' in (project / layers_lock.FILE).read_text()
    assert str(tmp_path) not in (project / layers_lock.FILE).read_text()
    assert layerforge("build", *HOST).code == 0
    assert "own" in names(project)


def test_a_function_with_a_lock_gets_its_very_versions(layerforge: Command, project: Path, index: Path) -> None:
    old = index / "base-1.0-py3-none-any.whl"
    make_wheel(index, "base", "2.0")
    (project / "base.lock").write_text(lock_of(old))
    text = PROJECT.replace('requires = ["web"]', 'requires = ["base"]\nlock = "base.lock"')
    (project / "layerforge.toml").write_text(text)
    layerforge("split", *HOST)
    assert ["base 1.0"] in layers(project).values()
    assert ["base 2.0"] not in layers(project).values()


def test_layers_of_the_project_are_built_beside_those_of_its_functions(layerforge: Command, project: Path) -> None:
    text = PROJECT + '[layer.shared-base]\nrequires = ["paper"]\n'
    (project / "layerforge.toml").write_text(text)
    layerforge("split", *HOST)
    assert "shared-base-more" in layers(project)
    ran = layerforge("build", *HOST, "--json")
    assert ran.code == 0
    assert names(project) == ["api", "report", "shared-base", "shared-base-more"]
    assert sorted(one["name"] for one in ran.json["layers"]) == names(project)
    assert [one["name"] for one in ran.json["functions"]] == ["api", "report"]


def test_the_project_of_another_folder_is_split_there(layerforge: Command, project: Path) -> None:
    (project / "sub").mkdir()
    (project / "layerforge.toml").rename(project / "sub/layerforge.toml")
    assert layerforge("split", "sub", *HOST).code == 0
    assert (project / "sub" / layers_lock.FILE).is_file()
    assert layerforge("split", "sub", "--check").code == 0


def test_what_a_function_leaves_out_is_told_by_its_lock_though_others_have_it(
    layerforge: Command, project: Path, index: Path
) -> None:
    """Of `web`, which needs it, `base` is left out by one function; the other has it from a layer of its own."""
    text = PROJECT.replace('requires = ["web"]', 'requires = ["web"]\nleave-out = ["base"]')
    (project / "layerforge.toml").write_text(text)
    layerforge("split", *HOST)
    lock = layers_lock.read(project / layers_lock.FILE)
    assert lock is not None
    api, report = lock.target[0].function
    assert (api.packages, api.left_out) == (("web",), ("base 1.0 (asked)",))
    assert report.left_out == ()
    ran = layerforge("build", *HOST)
    assert ran.code == 7
    assert "--leave-out has taken base away" in ran.err


def test_another_lock_of_a_function_makes_the_split_out_of_date(
    layerforge: Command, project: Path, index: Path
) -> None:
    (project / "base.lock").write_text(lock_of(index / "base-1.0-py3-none-any.whl"))
    text = PROJECT.replace('requires = ["web"]', 'requires = ["base"]\nlock = "base.lock"')
    (project / "layerforge.toml").write_text(text)
    layerforge("split", *HOST)
    assert layerforge("split", "--check").code == 0
    (project / "base.lock").write_text(lock_of(make_wheel(index, "base", "2.0")))
    assert layerforge("split", "--check").code == 4


def test_what_the_project_leaves_out_is_left_out_of_every_function(
    layerforge: Command, project: Path, index: Path
) -> None:
    make_wheel(index, "web", requires=["base"], files={"web/__init__.py": b"A = 1\n"})
    (project / "layerforge.toml").write_text(f'leave-out = ["base"]\n{PROJECT}')
    layerforge("split", *HOST)
    assert layers(project) == {"api": ["web 1.0"], "report": ["paper 1.0"]}
    assert layerforge("build", *HOST).code == 0
    ran = layerforge("build", *HOST, "--leave-out", "paper")
    assert ran.code == 2
    assert "--leave-out changes what is in layers that functions share" in ran.err


def test_the_name_of_a_function_is_never_taken_for_a_package(layerforge: Command, project: Path, index: Path) -> None:
    make_wheel(index, "api")
    for command in ("build", "plan"):
        ran = layerforge(command, "api", *HOST)
        assert ran.code == 2
        assert "api is a function of layerforge.toml" in ran.err
    assert layerforge("build", "api>=0", "--python", PYTHON, *HOST).code == 0


def test_a_function_has_what_is_no_wheel_in_its_layers_and_its_own_code_beside_them(
    layerforge: Command, project: Path, tmp_path: Path
) -> None:
    write(tmp_path / "lib", project_files("lib", requires=["base"]))
    write(tmp_path / "own", project_files("own", requires=["web"]))
    more = '[function.own]\nproject = "own"\n[function.job]\nrequires = ["./lib", "paper"]\n'
    (project / "layerforge.toml").write_text(PROJECT + more)
    ran = layerforge("split", *HOST)
    assert ran.code == 0, ran.err
    text = (project / layers_lock.FILE).read_text()
    assert "lib (folder)" in text
    assert str(tmp_path) not in text
    assert "address" not in text
    assert not any(one.startswith("own ") for row in layers(project).values() for one in row)
    [home] = [name for name, row in layers(project).items() if "lib 1.0" in row]
    lock = layers_lock.read(project / layers_lock.FILE)
    assert lock is not None
    [job] = [one for one in lock.target[0].function if one.name == "job"]
    assert home in job.layers
    assert {"base", "lib", "paper"} <= set(job.packages)
    built = layerforge("build", *HOST)
    assert built.code == 0, built.err
    with zipfile.ZipFile(project / f"dist/{home}-{LABEL}.zip") as zipped:
        assert "python/lib/__init__.py" in zipped.namelist()
    (tmp_path / "lib/lib/__init__.py").write_text("VALUE = 2\n")
    again = layerforge("build", *HOST)
    assert again.code == 0, again.err
    assert "lib 1.0 is what" in again.err


def test_another_source_of_a_function_makes_the_split_out_of_date(
    layerforge: Command, project: Path, tmp_path: Path
) -> None:
    layerforge("split", *HOST)
    write(tmp_path / "lib", project_files("lib", requires=["base"]))
    (project / "layerforge.toml").write_text(PROJECT.replace('["web"]', '["web", "./lib"]'))
    ran = layerforge("build", *HOST)
    assert ran.code == 4
    assert "the function api asks for something else now" in ran.err


def test_findings_are_annotated_at_the_project_file_and_the_summary_has_the_layers(
    layerforge: Command, project: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(index, "broken", files={"broken/__init__.py": b"import absent\n"})
    (project / "layerforge.toml").write_text(PROJECT + '[function.bad]\nrequires = ["broken"]\n')
    layerforge("split", *HOST)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "summary.md"))
    ran = layerforge("build", *HOST)
    assert ran.code == 7
    assert "::error file=layerforge.toml" in ran.out + ran.err
    assert "shared-base" in (project / "summary.md").read_text()


def test_the_lock_of_layers_is_no_list_of_requirements(layerforge: Command, project: Path) -> None:
    layerforge("split", *HOST)
    ran = layerforge("build", "layers.lock", *HOST)
    assert ran.code == 2
    assert "`layerforge build` without words makes its layers" in ran.err


def test_what_the_project_says_of_prereleases_counts_for_functions_and_of_a_fit_is_said(
    layerforge: Command, project: Path, index: Path
) -> None:
    make_wheel(index, "web", "2.0rc1", requires=["base"], files={"web/__init__.py": b"import base\n"})
    (project / "layerforge.toml").write_text(f'prerelease = "allow"\nfit = "direct"\n{PROJECT}')
    ran = layerforge("build", *HOST)
    assert ran.code == 0, ran.err
    assert layers(project)["api"] == ["web 2.0rc1"]
    assert "`fit` of the project file does not count for the layers that functions share" in ran.err
