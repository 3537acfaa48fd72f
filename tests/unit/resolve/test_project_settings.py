"""What a project says of its layers and functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerforge.resolve.errors import RecipeError
from layerforge.resolve.fit import Fit, parse_fit
from layerforge.resolve.project_settings import (
    NOTHING,
    Asks,
    FunctionWish,
    LayerWish,
    ProjectSettings,
    Settings,
    project_settings,
)

OWN = 'store = "s3://bucket/prefix"\ntrusted-keys = ["team:KEY"]\n'


def read(folder: Path, text: str) -> ProjectSettings:
    (folder / "layerforge.toml").write_text(text)
    return project_settings(folder)


def mistakes(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        read(folder, text)
    assert caught.value.exit_code == 3
    return caught.value.details


def test_a_project_may_say_nothing(tmp_path: Path) -> None:
    assert project_settings(tmp_path) == NOTHING
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert project_settings(tmp_path) == NOTHING


def test_its_file_and_its_table_say_the_same(tmp_path: Path) -> None:
    said: dict[str, Any] = {"store": "s3://bucket/prefix", "trusted_keys": ("team:KEY",)}
    own, project = tmp_path / "layerforge.toml", tmp_path / "pyproject.toml"
    assert read(tmp_path, OWN) == ProjectSettings(file=own, **said)
    own.unlink()
    project.write_text(f"[tool.layerforge]\n{OWN}[tool.layerforge.layer.a]\nrequires = ['six']\n")
    asks = Asks(requires=("six",))
    assert project_settings(tmp_path) == ProjectSettings(file=project, layers=(LayerWish(name="a", asks=asks),), **said)


def test_a_file_and_a_table_in_one_folder_contradict_each_other(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.layerforge]\n{OWN}")
    with pytest.raises(RecipeError, match="both speak for this project"):
        read(tmp_path, OWN)


def test_what_layers_require_is_read_with_paths_that_begin_at_the_file(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        [layer.science]
        requires = ["scikit-learn", "pandas>=3", "./wheels/own-1.0-py3-none-any.whl"]
        [layer.web]
        file = "requirements.txt"
        lock = "web.lock"
        [layer.more]
        project = "services/a"
        groups = "lambda"
        extras = ["ml", "db"]
        [layer.here]
        group = "lambda"
        """,
    )
    assert [(one.name, one.asks) for one in found.layers] == [
        (
            "science",
            Asks(requires=("scikit-learn", "pandas>=3", str(tmp_path / "wheels/own-1.0-py3-none-any.whl"))),
        ),
        ("web", Asks(file=(tmp_path / "requirements.txt",), lock=tmp_path / "web.lock")),
        ("more", Asks(project=tmp_path / "services/a", group=("lambda",), extra=("ml", "db"))),
        ("here", Asks(project=tmp_path, group=("lambda",))),
    ]


def test_settings_stand_at_the_top_and_in_each_layer(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        python = "3.12"
        arch = ["x86_64", "aarch64"]
        recipes = "recipes"
        jobs = 2
        compression = "small"
        store = "shared"
        [layer.science]
        requires = ["scikit-learn"]
        python = ["3.13", "python3.14"]
        leave-out = ["runtime"]
        wheels = true
        fit = { room = "60 MB" }
        """,
    )
    assert found.defaults == Settings(python=("3.12",), arch=("x86_64", "arm64"), compression="small")
    assert (found.recipes, found.jobs, found.store) == ((tmp_path / "recipes",), 2, str(tmp_path / "shared"))
    assert found.layers[0].settings == Settings(
        python=("3.13", "3.14"), leave_out=("runtime",), wheels=True, fit="room=60 MB"
    )


def test_functions_have_sizes_in_bytes(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        [function.train]
        requires = ["scikit-learn", "pyarrow"]
        code = "12 MB"
        layers = 1
        arch = "arm64"
        [function.api]
        file = "api/requirements.txt"
        """,
    )
    assert found.functions == (
        FunctionWish(
            name="train",
            asks=Asks(requires=("scikit-learn", "pyarrow")),
            code=12_000_000,
            layers=1,
            arch=("arm64",),
        ),
        FunctionWish(name="api", asks=Asks(file=(tmp_path / "api/requirements.txt",))),
    )


def test_all_mistakes_are_told_at_once_with_the_nearest_key(tmp_path: Path) -> None:
    assert mistakes(
        tmp_path,
        """
        stor = "x"
        python = 3.10
        arch = "arm46"
        trusted-keys = "team:KEY"
        jobs = 0
        [layer.science]
        reqires = ["scikit-learn"]
        leave_out = ["boto3"]
        bytecode = "onyl"
        [layer."a b"]
        requires = ["pandas", 3]
        fit = { rom = "60 MB" }
        [layer.web]
        [layer.Web]
        file = []
        [function.train]
        requires = ["numpy"]
        code = "12 apples"
        layers = 5
        compression = "small"
        [function.web]
        requires = ["numpy"]
        """,
    ) == (
        "stor is unknown; perhaps you meant store",
        'python must stand in quotes, such as "3.13", not 3.1',
        "arch must be a processor of Lambda: x86_64 or arm64; perhaps you meant arm64, not 'arm46'",
        "jobs must be a number above 0, not 0",
        "layer.science.reqires is unknown; perhaps you meant layer.science.requires",
        "layer.science.leave_out is unknown; perhaps you meant layer.science.leave-out",
        "layer.science.bytecode must be 'beside' or 'only' or 'none', not 'onyl'",
        "layer.a b: its name must be of letters, digits, - and _, 100 at most",
        "layer.a b.requires holds 3, which must be a requirement, not ['pandas', 3]",
        "layer.a b.fit has rom: it takes room alone, not {'rom': '60 MB'}",
        "layer.web asks for nothing: it takes requires, file, project or another of group, extra, lock",
        "layer.Web.file must not be empty, not []",
        "function.train.code must be a size such as \"12 MB\", or bytes, not '12 apples'",
        "function.train.layers must be a number from 0 to 4: a function takes five layers, not 5",
        "function.train.compression stands at the top of the file alone",
        "layer.Web and layer.web have one name",
        "function.web and layer.web have one name",
    )


@pytest.mark.parametrize(
    ("text", "said", "zipped", "room"),
    [
        ('"direct"', "direct", 52_428_800, 0),
        ('"60 MB"', "60 MB", 60_000_000, 0),
        ("60000000", "60000000 bytes", 60_000_000, 0),
        ('{ room = "60MB" }', "room=60MB", None, 60_000_000),
        ("{ room = 5000 }", "room=5000 bytes", None, 5000),
        ('"room=60MB"', "room=60MB", None, 60_000_000),
    ],
)
def test_what_a_layer_fits_into_is_what_the_option_takes(
    tmp_path: Path, text: str, said: str, zipped: int | None, room: int
) -> None:
    [layer] = read(tmp_path, f"[layer.a]\nrequires = 'six'\nfit = {text}\n").layers
    assert layer.settings.fit == said
    assert parse_fit(said) == Fit(zipped=zipped, room=room)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("layer = 3", "layer must be a table, not 3"),
        ("layer.a = 3", "layer.a must be a table"),
        ('layer.a = {requires = "x", engine = "host"}', "layer.a.engine stands at the top of the file alone"),
        ('layer.a = {project = ".", group = "x", groups = "y"}', "layer.a.groups is unknown; perhaps you meant"),
        ('layer.a = {requires = "x\\u0000"}', "layer.a.requires must be a requirement"),
    ],
)
def test_what_is_no_layer_is_told(tmp_path: Path, text: str, told: str) -> None:
    [line] = mistakes(tmp_path, text)
    assert line.startswith(told)


def test_a_file_does_not_say_what_is_for_a_person_to_say(tmp_path: Path) -> None:
    assert mistakes(
        tmp_path,
        """
        signing-key = "team.key"
        build-here = true
        [layer.a]
        requires = ["six"]
        build-here = true
        """,
    ) == (
        "build-here is said by a person alone, as --build-here",
        "signing-key is said by a person alone, as --signing-key",
        "layer.a.build-here is said by a person alone, as --build-here",
    )


def test_wheels_and_compiling_contradict_each_other_in_one_table(tmp_path: Path) -> None:
    text = "wheels = true\n[layer.a]\nrequires = 'six'\ncompile = true\n[layer.b]\nrequires = 'six'\n"
    assert read(tmp_path, text).layers[0].settings.compile is True
    [line] = mistakes(tmp_path, f"{text}wheels = true\nfrom-source = 'six'\n")
    assert line == "layer.b.wheels and layer.b.from-source contradict each other"


@pytest.mark.parametrize("text", ["store = ", "[[["])
def test_what_is_no_toml_is_refused_where_it_is_layerforges_own(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert project_settings(tmp_path) == NOTHING
    with pytest.raises(RecipeError, match="is not TOML"):
        read(tmp_path, text)


def test_a_table_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\nlayerforge = 3\n")
    with pytest.raises(RecipeError, match="must be a table"):
        project_settings(tmp_path)
