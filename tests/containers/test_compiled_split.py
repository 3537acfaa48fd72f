"""Functions whose packages are compiled: what is compiled together lies in one layer, and each function runs."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from layerforge.build import interpreters
from layerforge.resolve import layers_lock
from program import program
from sdists import archive
from tiny import CHECK, LIBRARY, LIBRARY_RECIPE, PACKAGE, PACKAGE_RECIPE
from wheels import make_wheel

PROJECT = """\
python = "3.13"
recipes = "recipes"
sources = "sources"
engine = "docker"

[function.one]
requires = ["tinypy"]

[function.two]
requires = ["tinytoo", "plain"]
"""


def a_package(folder: Path, name: str) -> None:
    """A recipe for a package on the library, and its source distribution."""
    files = {path.replace("tinypy", name): text.replace("tinypy", name) for path, text in PACKAGE.items()}
    (folder / f"index/{name}-1.0.tar.gz").write_bytes(archive(files))
    (folder / f"recipes/{name}").mkdir(parents=True)
    (folder / f"recipes/{name}/recipe.toml").write_text(PACKAGE_RECIPE.replace("tinypy", name))
    (folder / f"recipes/{name}/check.py").write_text(CHECK.replace("tinypy", name))
    sha256 = hashlib.sha256((folder / f"index/{name}-1.0.tar.gz").read_bytes()).hexdigest()
    (folder / f"recipes/{name}/requirements.lock").write_text(f"{name}==1.0 --hash=sha256:{sha256}\n")


def test_what_is_compiled_on_the_same_library_lies_in_one_layer_with_it(tmp_path: Path, standin: str) -> None:
    if interpreters.find("3.13") is None:
        pytest.skip("there is no CPython 3.13 here")
    for name in ("recipes/tiny", "sources", "index"):
        (tmp_path / name).mkdir(parents=True)
    data = archive(LIBRARY)
    (tmp_path / "sources/tiny-1.0.tar.gz").write_bytes(data)
    script = 'make && make install PREFIX="$PREFIX"'
    recipe = LIBRARY_RECIPE.format(sha256=hashlib.sha256(data).hexdigest(), script=script)
    (tmp_path / "recipes/tiny/recipe.toml").write_text(recipe)
    a_package(tmp_path, "tinypy")
    a_package(tmp_path, "tinytoo")
    make_wheel(tmp_path / "index", "plain")
    (tmp_path / "layerforge.toml").write_text(PROJECT)
    layerforge = program(tmp_path, UV_FIND_LINKS=str(tmp_path / "index"), DOCKER_HOST="")
    ran = layerforge("split", "--image", standin)
    assert ran.code == 0, ran.err
    lock = layers_lock.read(tmp_path / layers_lock.FILE)
    assert lock is not None
    [split] = lock.target
    assert [[one.name for one in layer.packages] for layer in split.layer] == [
        ["system libraries", "tiny", "tinypy", "tinytoo"],
        ["plain"],
    ]
    assert split.layer[0].name in {"shared-tinypy", "shared-tinytoo"}
    assert [pin.name for pin in split.layer[0].pins] == ["tinypy", "tinytoo"]
    ran = layerforge("build", "--image", standin, "--json")
    assert ran.code == 0, ran.err
    assert [(one["name"], one["verified"], one["error"]) for one in ran.json["functions"]] == [
        ("one", True, None),
        ("two", True, None),
    ]
    [shared] = [one for one in ran.json["layers"] if one["name"] != "two"]
    with zipfile.ZipFile(tmp_path / shared["path"]) as made:
        assert {"lib/libtiny.so.1", "python/tinypy/__init__.py", "python/tinytoo/__init__.py"} <= {*made.namelist()}
