from __future__ import annotations

from pathlib import Path

import pytest

from layerforge.core.runtimes import Arch
from layerforge.resolve.errors import LockError
from layerforge.resolve.other_locks import lambdas
from other_locks import KEPT, MAIN, read, told

HASH = "c" * 64
HEAD = 'lock-version = "1.0"\ncreated-by = "uv"\n'


def a_package(name: str, more: str = "", version: str = "1.0") -> str:
    wheel = f'{{ url = "https://files.example/{name}-{version}-py3-none-any.whl", hashes = {{ sha256 = "{HASH}" }} }}'
    return f'[[packages]]\nname = "{name}"\nversion = "{version}"\nwheels = [{wheel}]\n{more}\n'


def written(folder: Path, *packages: str, head: str = "", name: str = "pylock.toml") -> Path:
    path = folder / name
    path.write_text("\n".join([HEAD + head, *packages]))
    return path


def test_a_lock_that_uv_exported_holds_what_was_exported() -> None:
    found = read(KEPT / "uv/pylock.toml")
    assert told(found) == sorted([*MAIN, "attrs 23.2.0", "pluggy 1.7.0", "toolz 1.2.0"])
    assert found.requires_python == "<3.14,>=3.11"
    assert [one.text for one in found.locals] == [f"helper @ {(KEPT / 'uv/helper').as_uri()}"]
    assert found.renew.endswith("uv export --format pylock.toml -o pylock.toml")


def test_extras_and_groups_count_as_its_markers_say_and_its_default_groups_always(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        a_package("base", "marker = \"'main' in dependency_groups\""),
        a_package("fast", "marker = \"'ml' in extras\""),
        a_package("more", "marker = \"'lambda' in dependency_groups and python_version < '3.12'\""),
        a_package("other", "marker = \"sys_platform == 'win32'\""),
        head='extras = ["ml"]\ndependency-groups = ["main", "lambda"]\ndefault-groups = ["main"]\n',
    )
    found = read(path)
    assert told(found) == ["base 1.0"]
    assert (found.offered.extras, found.offered.groups) == (("ml",), ("lambda",))
    assert told(read(path, ("ml",), ("lambda",))) == [
        "base 1.0",
        "fast 1.0",
        'more 1.0 where python_version == "3.10" or python_version == "3.11"',
    ]


def test_what_is_no_release_is_told_apart_and_the_project_itself_is_left_out(tmp_path: Path) -> None:
    kept = '[packages.vcs]\ntype = "git"\nurl = "https://git.example/kept"\ncommit-id = "abc"\nsubdirectory = "lib"\n'
    archive = f'[packages.archive]\nurl = "https://files.example/old.tar.gz"\nhashes = {{ sha256 = "{HASH}" }}\n'
    path = written(
        tmp_path,
        f'[[packages]]\nname = "kept"\n{kept}',
        '[[packages]]\nname = "near"\ndirectory = { path = "near" }\n',
        '[[packages]]\nname = "shop"\ndirectory = { path = ".", editable = true }\n',
        f'[[packages]]\nname = "old"\n{archive}',
        f'[[packages]]\nname = "own"\n{archive.replace("old.tar.gz", "own-1.0-py3-none-any.whl")}',
    )
    found = read(path)
    assert [one.text for one in found.locals] == [
        "kept @ git+https://git.example/kept@abc#subdirectory=lib",
        f"near @ {(tmp_path / 'near').as_uri()}",
        f"old @ https://files.example/old.tar.gz#sha256={HASH}",
    ]
    assert told(found) == ["own https://files.example/own-1.0-py3-none-any.whl"]
    assert found.name == "shop"


def test_wheels_that_lie_beside_the_file_are_found_there(tmp_path: Path) -> None:
    package = a_package("demo").replace("url = ", "path = ").replace("https://files.example/", "wheels/")
    assert read(written(tmp_path, package)).indexes == (f"--find-links {tmp_path / 'wheels'}",)


def test_a_named_lock_is_called_so(tmp_path: Path) -> None:
    assert read(written(tmp_path, a_package("demo"), name="pylock.science.toml")).name == "science"


def test_the_systems_that_it_is_for_are_known(tmp_path: Path) -> None:
    windows = read(written(tmp_path, a_package("demo"), head="environments = [\"sys_platform == 'win32'\"]\n"))
    assert windows.only is None
    arm = read(written(tmp_path, a_package("demo"), head="environments = [\"platform_machine == 'aarch64'\"]\n"))
    fits = [target for target in lambdas.targets() if lambdas.applies(arm.only or "", target)]
    assert {target.arch for target in fits} == {Arch.ARM64}
    assert read(written(tmp_path, a_package("demo"))).only == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x", "Expected '='"),
        ('lock-version = "1.0"\n', "created-by"),
        (f"{HEAD.replace('1.0', '2.0')}packages = []\n", "not supported"),
        (HEAD + a_package("demo").replace("sha256", "md5"), "demo: it has no SHA-256"),
        (HEAD + a_package("demo", "marker = \"'x' in nonsense\""), "nonsense"),
    ],
)
def test_a_lock_that_does_not_hold_says_why_and_how_to_write_it_anew(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").write_text(text)
    with pytest.raises(LockError) as caught:
        read(tmp_path / "pylock.toml")
    assert says in "\n".join(caught.value.details)
    assert "uv export --format pylock.toml -o pylock.toml`" in caught.value.hint
