"""Folders of functions' code and of projects, as words of the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes import FakeProgress
from layerforge.core.errors import UsageError
from layerforge.resolve import remarks, targets
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.request import Request, without_projects
from projects import project_files, write


def requested(word: Path) -> Request:
    [request] = targets.requests([str(word)], None)
    return request


def told(request: Request) -> str:
    progress = FakeProgress()
    remarks.tell(request, progress)
    return "\n".join(progress.lines)


def test_a_functions_folder_is_what_its_requirements_file_lists_under_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "hello_world", {"requirements.txt": "idna\n-e .\n", "app.py": "", "pyproject.toml": ""})
    (tmp_path / "hello_world/pyproject.toml").unlink()
    write(tmp_path / "hello_world", {"requirements.txt": "idna>=3\n"})
    request = requested(tmp_path / "hello_world")
    assert request.spec.name == "hello_world"
    assert (request.text, request.spec.requires) == ("idna>=3", ("idna>=3",))
    assert request.file == tmp_path / "hello_world/requirements.txt"
    assert request.own_code == ()
    assert "the code in it stays the function's own" in told(request)


def test_functions_folders_can_be_layers_each(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, {"requirements.txt": "idna\n", "app.py": ""})
    found = targets.requests([str(tmp_path / name) for name in ("one", "two")], None, each=True)
    assert [one.spec.name for one in found] == ["one", "two"]


def test_the_address_of_a_requirement_in_a_functions_folder_keeps_its_credentials_to_itself(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "idna @ https://us:s3cret@there/idna-1-py3-none-any.whl\n"})
    with pytest.raises(UsageError, match="holds credentials") as caught:
        requested(tmp_path)
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("name", ["template.yaml", "template.yml", "template.json"])
def test_a_template_names_the_folders_of_its_functions(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"hello/requirements.txt": "idna\n", "other/app.py": ""})
    (tmp_path / name).write_text(template(name, hello="hello/", other="other", elsewhere="s3://b/k"))
    with pytest.raises(UsageError, match="lists no requirements") as caught:
        requested(tmp_path / name)
    assert caught.value.hint == f"name the folders of their code: `layerforge build {tmp_path / 'hello'}`"


def template(name: str, **code: str) -> str:
    """A SAM template called ``name`` of functions with these folders of code."""
    if name.endswith("json"):
        kind = "AWS::Serverless::Function"
        rows = {one: {"Type": kind, "Properties": {"CodeUri": place}} for one, place in code.items()}
        return json.dumps({"Resources": rows})
    function = "  {}:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: '{}' # its code\n"
    return "Resources:\n" + "".join(function.format(one, place) for one, place in code.items())


@pytest.mark.parametrize("text", ["", "CodeUri:\n", "\x00", "CodeUri: !Sub ${X}\n"])
def test_a_template_that_names_none_says_what_to_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        requested(tmp_path / "template.yaml")
    assert caught.value.hint


def test_a_project_brings_its_own_code_and_can_leave_it_out(tmp_path: Path) -> None:
    write(tmp_path, project_files(requires=["idna"]))
    request = requested(tmp_path)
    assert (request.own_code, request.spec.requires) == ((tmp_path,), ("idna",))
    assert "own code" not in told(request)
    assert without_projects(request).own_code == ()
    assert without_projects(request).spec.requires == ("idna",)


@pytest.mark.parametrize(
    "files",
    [
        {"setup.py": ""},
        {"setup.cfg": "", "requirements.txt": "six\n"},
        {
            "pyproject.toml": '[project]\nname = "x"\ndynamic = ["dependencies"]\n[build-system]\nrequires = []\n',
            "x/y.py": "",
        },
        {
            "pyproject.toml": '[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\ndemo = "^1 || ^3"\n'
            '[build-system]\nrequires = []\nbuild-backend = "poetry"\n'
        },
    ],
)
def test_a_project_that_only_its_wheel_knows_is_its_wheel(files: dict[str, str], tmp_path: Path) -> None:
    folder = write(tmp_path / "x", files)
    request = requested(folder)
    assert (request.own_code, request.spec.requires, request.files) == ((folder,), (), ())
    assert request.spec.name == "x"
    with pytest.raises(UsageError, match="only a wheel of") as caught:
        without_projects(request)
    assert "--no-project" in caught.value.hint


def test_a_folder_of_nothing_is_still_refused(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    with pytest.raises(RecipeError, match="is a folder without"):
        requested(tmp_path)
