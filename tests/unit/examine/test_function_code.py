from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import zips
from layerforge.core.errors import UsageError, VerificationError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.examine.function_code import LEFT_OUT, function_code


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_folder_is_copied_so_that_every_user_can_read_it(tmp_path: Path) -> None:
    src = written(tmp_path / "src", {"app.py": "x = 1\n", "lib/tool.sh": "echo\n", "lib/secret.py": "y = 2\n"})
    (src / "lib/tool.sh").chmod(0o700)
    (src / "lib/secret.py").chmod(0o600)
    (src / "lib").chmod(0o700)
    os.utime(src / "app.py", (1_000_000, 1_000_000))
    code = function_code(src, tmp_path / "copy")
    assert [*code.paths] == ["app.py", "lib/secret.py", "lib/tool.sh"]
    assert code.size == sum(one.stat().st_size for one in src.rglob("*") if one.is_file())
    modes = {name: stat.S_IMODE((tmp_path / "copy" / name).stat().st_mode) for name in (*code.paths, "lib", ".")}
    assert modes == {"app.py": 0o644, "lib/secret.py": 0o644, "lib/tool.sh": 0o755, "lib": 0o755, ".": 0o755}
    assert (tmp_path / "copy/app.py").stat().st_mtime == 1_000_000, "bytecode that goes by the date stays valid"
    (src / "app.py").write_text("changed")
    assert code.read("app.py") == b"x = 1\n"
    assert code.read("absent.py") is None


@pytest.mark.parametrize("name", [".git", ".venv", ".aws-sam", "env"])
def test_what_no_tool_sends_to_lambda_is_left_out_and_told(tmp_path: Path, name: str) -> None:
    assert (name in LEFT_OUT) is (name != "env")
    src = written(tmp_path / "src", {"app.py": "", f"sub/{name}/big.py": "", f"sub/{name}/pyvenv.cfg": ""})
    code = function_code(src, tmp_path / "copy")
    assert [*code.paths] == ["app.py"]
    assert code.left_out == (f"sub/{name}",)
    assert not (tmp_path / "copy/sub").exists()


def test_links_stay_links_where_they_stay_inside(tmp_path: Path) -> None:
    src = written(tmp_path / "src", {"pkg/real.py": "x = 1\n"})
    (src / "alias.py").symlink_to("pkg/real.py")
    (src / "folder").symlink_to("pkg")
    code = function_code(src, tmp_path / "copy")
    assert (tmp_path / "copy/alias.py").readlink() == Path("pkg/real.py")
    assert (tmp_path / "copy/folder").readlink() == Path("pkg")
    assert code.size == len("x = 1\n")


@pytest.mark.parametrize("target", ["../outside.py", "/etc/passwd", "pkg/../../outside.py"])
def test_a_link_that_leads_out_is_refused_before_anything_is_copied(tmp_path: Path, target: str) -> None:
    src = written(tmp_path / "src", {"pkg/real.py": ""})
    (src / "link.py").symlink_to(target)
    with pytest.raises(UsageError, match=r"1 link of --code .* leads out of it") as caught:
        function_code(src, tmp_path / "copy")
    assert caught.value.details == (f"link.py → {target}",)
    assert not (tmp_path / "copy").exists()


def test_pipes_are_passed_over(tmp_path: Path) -> None:
    src = written(tmp_path / "src", {"app.py": ""})
    os.mkfifo(src / "pipe")
    assert [*function_code(src, tmp_path / "copy").paths] == ["app.py"]


def test_a_zip_is_unpacked_with_the_guards_of_a_layer(tmp_path: Path) -> None:
    code = function_code(zips.of(tmp_path / "fn.zip", {"app.py": b"x = 1\n", "lib/a.py": b""}), tmp_path / "copy")
    assert code.read("app.py") == b"x = 1\n"
    assert [*code.paths] == ["app.py", "lib/a.py"]
    evil = zips.of(tmp_path / "evil.zip", {"../app.py": b"x = 1\n"})
    with pytest.raises(VerificationError, match="is not unpacked"):
        function_code(evil, tmp_path / "other")
    assert not (tmp_path / "app.py").exists()


def test_code_and_layers_that_are_too_large_together_are_told_with_what_takes_the_room(tmp_path: Path) -> None:
    src = written(tmp_path / "src", {"app.py": "x" * 3_000, "models/a.bin": "x" * 9_000})
    room = zips.an_examination(unzipped=LAMBDA_UNZIPPED_LIMIT - 12_000)
    assert function_code(src, tmp_path / "copy", [room]).size == 12_000
    full = zips.an_examination(unzipped=LAMBDA_UNZIPPED_LIMIT - 11_999)
    with pytest.raises(UsageError, match=r"take 262,144,001 bytes unpacked") as caught:
        function_code(src, tmp_path / "other", [full])
    assert caught.value.details[-2:] == (f"9.0 kB  {src}/models", f"3.0 kB  {src}/app.py")
    assert not (tmp_path / "other").exists()


def test_the_folder_of_all_that_sam_has_built_is_the_code_of_no_function(tmp_path: Path) -> None:
    files = {"template.yaml": "", "Train/app.py": "", "Serve/app.py": ""}
    built = written(tmp_path / ".aws-sam/build", files)
    with pytest.raises(UsageError, match="several functions") as caught:
        function_code(built, tmp_path / "copy")
    assert caught.value.hint == f"name one: --code {built}/Serve"
    assert [*function_code(built / "Train", tmp_path / "copy").paths] == ["app.py"]


def test_a_zip_that_is_too_large_is_not_unpacked(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "fn.zip", {"app.py": b"x" * 5_000})
    with pytest.raises(UsageError, match="and Lambda takes 262,144,000 together"):
        function_code(path, tmp_path / "copy", [zips.an_examination(unzipped=LAMBDA_UNZIPPED_LIMIT - 4_999)])
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("absent", "is not there", "the folder that holds the handler's file"),
        ("app.py", "is neither a folder nor a zip", "name the folder that it lies in: --code "),
        ("notes.txt", "is neither a folder nor a zip", "name one that holds your function"),
    ],
)
def test_what_is_no_code_is_refused(tmp_path: Path, name: str, words: str, hint: str) -> None:
    written(tmp_path, {"app.py": "", "notes.txt": ""})
    with pytest.raises(UsageError, match=words) as caught:
        function_code(tmp_path / name, tmp_path / "copy")
    assert hint in caught.value.hint
