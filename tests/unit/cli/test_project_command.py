"""``build``, ``plan`` and ``lock`` of what a project file says, on small wheels."""

from __future__ import annotations

from pathlib import Path

import pytest

from program import LABEL, PYTHON, Command, Ran
from projects import project_files, write
from wheels import make_wheel

ARM = LABEL.replace("x86_64", "arm64")


@pytest.fixture
def project(index: Path, tmp_path: Path) -> Path:
    """A project of three layers."""
    for name in ("one", "two", "three"):
        make_wheel(index, name)
    (tmp_path / "three.txt").write_text("three\n")
    file = tmp_path / "layerforge.toml"
    file.write_text(
        f"""
        python = "{PYTHON}"
        compression = "small"
        output = "made"
        [layer.first]
        requires = ["one", "two"]
        leave-out = ["two"]
        [layer.second]
        requires = ["two"]
        arch = ["x86_64", "arm64"]
        compression = "fast"
        [layer.third]
        file = "three.txt"
        bytecode = "none"
        no-verify = true
        """
    )
    return file


def plans(ran: Ran) -> dict[str, list[str]]:
    """The lines of each layer's plan by its title."""
    assert ran.code == 0, ran.err
    found: dict[str, list[str]] = {}
    for line in ran.out.splitlines():
        title = line.partition(":")[0]
        if not line.startswith(" "):
            found[title] = []
        else:
            found[list(found)[-1]].append(line.strip())
    return found


def compressions(ran: Ran) -> dict[str, str]:
    return {title: lines[-1] for title, lines in plans(ran).items()}


def test_a_build_without_words_makes_every_layer_by_its_own_settings(
    layerforge: Command, project: Path, tmp_path: Path
) -> None:
    ran = layerforge("build", "--engine", "host", "--json")
    assert ran.code == 0, ran.err
    made = {(one["name"], one["arch"]): one for one in ran.json["layers"]}
    assert list(made) == [("first", "x86_64"), ("second", "x86_64"), ("second", "arm64"), ("third", "x86_64")]
    assert {one.name for one in (tmp_path / "made").glob("*.zip")} == {
        f"first-{LABEL}.zip",
        f"second-{LABEL}.zip",
        f"second-{ARM}.zip",
        f"third-{LABEL}.zip",
    }
    held = {name: [one["name"] for one in layer["packages"]] for (name, _), layer in made.items()}
    assert held == {"first": ["one"], "second": ["two"], "third": ["three"]}
    assert made["third", "x86_64"]["figures"] is None
    assert made["first", "x86_64"]["figures"] is not None


def test_a_name_stands_for_its_layer_beside_other_words(layerforge: Command, project: Path) -> None:
    found = plans(layerforge("plan", "second", "one", "--arch", "x86_64"))
    assert list(found) == [f"second-{LABEL}", f"one-{LABEL}"]
    assert found[f"second-{LABEL}"][-1] == "compression fast"
    assert found[f"one-{LABEL}"][-1] == "compression small"


def test_the_command_line_counts_before_the_environment_the_layer_and_the_top(
    layerforge: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("first", "second")
    assert set(compressions(layerforge("plan", *names)).values()) == {"compression small", "compression fast"}
    monkeypatch.setenv("LAYERFORGE_COMPRESSION", "max")
    assert set(compressions(layerforge("plan", *names)).values()) == {"compression max"}
    assert set(compressions(layerforge("plan", *names, "--compression", "small")).values()) == {"compression small"}
    monkeypatch.setenv("LAYERFORGE_ARCH", "arm64")
    assert list(plans(layerforge("plan", *names))) == [f"first-{ARM}", f"second-{ARM}"]


def test_a_list_of_a_layer_takes_the_place_of_the_one_at_the_top(layerforge: Command, project: Path) -> None:
    project.write_text(f'leave-out = ["one"]\n{project.read_text()}')
    assert "wheel one 1.0" in plans(layerforge("plan", "first"))[f"first-{LABEL}"]
    assert "wheel one 1.0" not in plans(layerforge("plan", "first", "--leave-out", "one"))[f"first-{LABEL}"]


@pytest.mark.parametrize(
    ("top", "own", "options", "code"),
    [
        ("", "", [], 0),
        ("compile = true", "", [], 5),
        ("compile = true", "wheels = true", [], 0),
        ("compile = true", "compile = false", [], 0),
        ("wheels = true", "compile = true", [], 5),
        ("wheels = true", 'from-source = ["two"]', [], 5),
        ("", "compile = true", ["--wheels"], 0),
        ("compile = true", "", ["--wheels"], 0),
        ("", "wheels = true", ["--compile"], 5),
        ("wheels = true", "", ["--from-source", "two"], 5),
    ],
)
def test_what_is_compiled_is_one_decision_of_whoever_comes_first(
    layerforge: Command, project: Path, top: str, own: str, options: list[str], code: int
) -> None:
    project.write_text(f'{top}\npython = "{PYTHON}"\n[layer.it]\nrequires = ["two"]\n{own}\n')
    assert layerforge("build", "it", "--engine", "host", "--no-verify", *options).code == code


def test_a_lock_is_written_for_each_layer_and_one_that_is_named_is_built_from(
    layerforge: Command, project: Path, index: Path, tmp_path: Path
) -> None:
    text = project.read_text().replace('file = "three.txt"', 'file = "three.txt"\nlock = "locks/own.lock"')
    project.write_text(text)
    (tmp_path / "locks").mkdir()
    ran = layerforge("lock")
    assert ran.code == 0, ran.err
    assert "three==1.0" in (tmp_path / "locks/own.lock").read_text()
    assert "# Left out: two 1.0 (asked)" in (tmp_path / "first.lock").read_text()
    assert (
        f"Locked by layerforge for Python {PYTHON} and newer. Renew with: layerforge lock second"
        in (tmp_path / "second.lock").read_text()
    )
    assert f"Renew with: layerforge lock first --python {PYTHON}\n" in (tmp_path / "first.lock").read_text()
    assert 'lock = "first.lock" in [layer.first] has it built from that' in ran.err
    assert "[layer.third]" not in ran.err
    make_wheel(index, "three", "2.0")
    assert "wheel three 1.0" in plans(layerforge("plan", "third"))[f"third-{LABEL}"]
    (tmp_path / "locks/own.lock").unlink()
    missing = layerforge("build", "third")
    assert missing.code == 4
    assert "layerforge lock third" in missing.err


def test_one_lock_can_be_named_for_one_layer_alone(layerforge: Command, project: Path, tmp_path: Path) -> None:
    assert layerforge("lock", "second", "-o", "mine.lock").code == 0
    assert (
        "wheel two 1.0"
        in plans(layerforge("plan", "second", "--lock", "mine.lock", "--arch", "x86_64"))[f"second-{LABEL}"]
    )
    assert layerforge("plan", "--lock", "mine.lock").code == 2
    assert layerforge("lock", "-o", "mine.lock").code == 2


def test_layers_whose_locks_others_write_are_passed_over_unless_they_are_named(
    layerforge: Command, project: Path, tmp_path: Path
) -> None:
    project.write_text(
        project.read_text().replace('["two"]\n        arch', '["two"]\n        lock = "uv.lock"\n        arch')
    )
    ran = layerforge("lock")
    assert ran.code == 0, ran.err
    assert "uv.lock of layer second is another tool's" in ran.err
    assert sorted(one.name for one in tmp_path.glob("*.lock")) == ["first.lock", "third.lock"]
    assert layerforge("lock", "second").code == 2


def test_wheels_for_a_lock_are_made_with_the_engine_of_the_project_file(layerforge: Command, tmp_path: Path) -> None:
    write(tmp_path / "own", project_files("own"))
    text = f'python = "{PYTHON}"\nengine = "ENGINE"\n[layer.own]\nproject = "own"\n'
    (tmp_path / "layerforge.toml").write_text(text.replace("ENGINE", "docker"))
    ran = layerforge("lock")
    assert ran.code == 5
    (tmp_path / "layerforge.toml").write_text(text.replace("ENGINE", "host"))
    ran = layerforge("lock")
    assert ran.code == 0, ran.err
    assert "engine host:" not in ran.err


def test_a_matrix_has_a_job_for_each_layer_python_and_processor(layerforge: Command, project: Path) -> None:
    rows = layerforge("matrix").json["include"]
    assert [(one["target"], one["python"], one["arch"]) for one in rows] == [
        ("first", PYTHON, "x86_64"),
        ("second", PYTHON, "x86_64"),
        ("second", PYTHON, "arm64"),
        ("third", PYTHON, "x86_64"),
    ]
    [row] = layerforge("matrix", "second", "--arch", "arm64").json["include"]
    assert (row["recipe"], row["target"], row["arch"]) == ("second", "second", "arm64")


def test_a_function_is_no_target_by_itself(layerforge: Command, project: Path) -> None:
    project.write_text(f'{project.read_text()}\n[function.train]\nrequires = "one"\n')
    ran = layerforge("build", "train")
    assert ran.code == 2
    assert "train is a function of layerforge.toml" in ran.err


# --- projects


APP = """
[project]
name = "app"
version = "1"
requires-python = "REQUIRES"
dependencies = ["one"]
[project.optional-dependencies]
more = ["two"]
[dependency-groups]
lambda = ["three"]
"""


@pytest.fixture
def app(project: Path, tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/pyproject.toml").write_text(APP.replace("REQUIRES", f"=={PYTHON}.*"))
    project.write_text(
        '[layer.bare]\nproject = "app"\n[layer.all]\nproject = "app"\nextra = "more"\ngroups = ["lambda"]\n'
    )
    return project


def test_a_layer_of_a_project_has_the_extras_and_groups_that_its_table_names(layerforge: Command, app: Path) -> None:
    found = plans(layerforge("plan"))
    wheels = {title: [line for line in lines if line.startswith("wheel")] for title, lines in found.items()}
    assert wheels == {
        f"bare-{LABEL}": ["wheel one 1.0"],
        f"all-{LABEL}": ["wheel one 1.0", "wheel three 1.0", "wheel two 1.0"],
    }
    assert "wheel two 1.0" in plans(layerforge("plan", "bare", "--extra", "more"))[f"bare-{LABEL}"]
    assert layerforge("plan", "all", "--extra", "nothing").code == 2


def test_extras_of_a_call_without_any_project_are_refused(layerforge: Command, project: Path) -> None:
    ran = layerforge("plan", "first", "--extra", "more")
    assert ran.code == 2
    assert "the extra more: no layer of layerforge.toml that is built is a project's" in ran.err


def test_a_python_that_a_project_does_not_take_is_refused(layerforge: Command, app: Path) -> None:
    other = "3.14" if PYTHON != "3.14" else "3.13"
    app.write_text(f'python = "{other}"\n{app.read_text()}')
    ran = layerforge("plan", "bare")
    assert ran.code == 2
    assert f"requires Python =={PYTHON}.*" in ran.err


# --- which word is which


def test_a_layer_of_the_project_comes_before_a_recipe_and_before_what_lies_here(
    layerforge: Command, project: Path, tmp_path: Path
) -> None:
    project.write_text(f'python = "{PYTHON}"\n[layer.numpy]\nrequires = ["one"]\n[layer.api]\nrequires = ["one"]\n')
    (tmp_path / "api").mkdir()
    ran = layerforge("plan", "numpy", "api")
    assert list(plans(ran)) == [f"numpy-{LABEL}", f"api-{LABEL}"]
    assert ran.err.count("numpy is the layer of layerforge.toml; ") == 1
    assert ran.err.count("api is the layer of layerforge.toml; ./api would be what lies here") == 1


def test_an_unknown_word_that_looks_like_a_layer_is_hinted_at(layerforge: Command, project: Path) -> None:
    ran = layerforge("build", "secnd")
    assert ran.code in {3, 4}
    assert "→ perhaps you meant the layer second of the project file" in ran.err
    assert "perhaps you meant the layer" not in layerforge("build", "entirely-else").err


def test_the_project_file_itself_stands_for_all_of_its_layers(
    layerforge: Command, project: Path, tmp_path: Path
) -> None:
    every = [f"first-{LABEL}", f"second-{LABEL}", f"third-{LABEL}"]
    for word in ("layerforge.toml", "./layerforge.toml", "."):
        assert list(plans(layerforge("plan", word, "--arch", "x86_64"))) == every
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "own"\nversion = "1"\ndependencies = ["one"]\n')
    assert list(plans(layerforge("plan", ".", "--arch", "x86_64"))) == [f"own-{LABEL}"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other/layerforge.toml").write_text("")
    ran = layerforge("build", "other/layerforge.toml")
    assert ran.code == 2
    assert "`cd other && layerforge build`" in ran.err


def test_the_table_in_a_pyproject_is_a_project_file(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index, "one")
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.layerforge]\npython = "{PYTHON}"\n[tool.layerforge.layer.it]\nrequires = ["one"]\n'
    )
    assert list(plans(layerforge("plan"))) == [f"it-{LABEL}"]
    assert 'lock = "it.lock" in [tool.layerforge.layer.it] has it built from that' in layerforge("lock").err


def test_what_stands_at_the_top_counts_for_the_whole_call(
    layerforge: Command, project: Path, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "numpy", "2.6")
    (tmp_path / "mine/numpy").mkdir(parents=True)
    (tmp_path / "mine/numpy/recipe.toml").write_text(
        'schema = 2\n[package]\nname = "numpy"\nversions = ">=2"\n[env]\nMINE = "1"\n'
    )
    project.write_text(
        f'python = "{PYTHON}"\nrecipes = "mine"\nengine = "host"\nno-verify = true\n[layer.a]\nrequires = "numpy"\n'
    )
    ran = layerforge("build", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["layers"][0]["env"] == {"MINE": "1"}
    assert layerforge("build", "--image", "x").code == 2
    project.write_text(project.read_text().replace('"mine"', '"nowhere"'))
    ran = layerforge("build")
    assert ran.code == 3
    assert "layerforge.toml: recipes: Directory 'nowhere' does not exist" in ran.err
    assert layerforge("build", "--recipes", "elsewhere").code == 2


def test_two_layers_of_one_name_are_refused(layerforge: Command, project: Path, tmp_path: Path) -> None:
    (tmp_path / "second.txt").write_text("one\n")
    ran = layerforge("plan", "second", "./second.txt")
    assert ran.code == 2
    assert "would both be the layer second" in ran.err


def test_requirements_are_requirements_whatever_recipes_are_called(
    layerforge: Command, project: Path, index: Path
) -> None:
    make_wheel(index, "lxml", "6.5")
    project.write_text(f'python = "{PYTHON}"\n[layer.xml]\nrequires = ["lxml"]\n')
    assert "wheel lxml 6.5" in plans(layerforge("plan", "--wheels"))[f"xml-{LABEL}"]


def test_names_of_files_that_are_not_there_are_told_together(layerforge: Command, project: Path) -> None:
    project.write_text('[layer.a]\nfile = ["x.txt", "y.txt"]\nproject = "sub"\n')
    ran = layerforge("build")
    assert ran.code == 3
    for told in ("layer.a.file: x.txt", "layer.a.file: y.txt", "layer.a.project: sub"):
        assert told in ran.err


# --- without a project file


def test_without_a_project_file_what_lies_here_is_built_and_that_is_said(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "one")
    make_wheel(index, "two")
    (tmp_path / "requirements.txt").write_text("one\n")
    ran = layerforge("plan", "--python", PYTHON)
    assert list(plans(ran)) == [f"requirements-{LABEL}"]
    assert "so this is `layerforge plan ./requirements.txt`" in ran.err
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "own"\nversion = "1"\ndependencies = ["two"]\n')
    ran = layerforge("plan", "--python", PYTHON)
    assert list(plans(ran)) == [f"own-{LABEL}"]
    assert "so this is `layerforge plan .`" in ran.err


@pytest.mark.parametrize("command", ["build", "plan", "lock"])
def test_nothing_at_all_is_a_usage_error_that_names_what_writes_a_project_file(
    layerforge: Command, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "layerforge.toml").write_text("[layer.a]\nrequires = ['one']\n")
    (tmp_path / "deep/er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep/er")
    ran = layerforge(command)
    assert ran.code == 2
    assert "`layerforge init`" in ran.err
    assert "`layerforge build requests`" in ran.err
    assert f"there is {tmp_path}/layerforge.toml" in ran.err


def test_a_wrong_project_file_ends_a_call_but_not_its_help(layerforge: Command, tmp_path: Path) -> None:
    (tmp_path / "layerforge.toml").write_text("pithon = '3.13'\nlayer = 3\n")
    ran = layerforge("build")
    assert ran.code == 3
    assert "pithon is unknown; perhaps you meant python" in ran.err
    assert "layer must be a table" in ran.err
    assert layerforge("build", "--help").code == 0
