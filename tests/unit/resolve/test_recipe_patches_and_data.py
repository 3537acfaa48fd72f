"""Patches and data of a recipe, as its folder holds and its file names them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from layerforge.resolve import recipe_file
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import Data, Patch, Source

SHA256 = "a" * 64
PACKAGE = 'schema = 2\n[package]\nname = "demo"\nversions = ">=1"\n'
LIBRARY = (
    'schema = 2\n[library]\nname = "demo"\nversion = "1"\nscript = "make"\n'
    f'source = {{ url = "https://example.org/demo.tar.gz", sha256 = "{SHA256}" }}\n'
)
DIFF = "--- demo/x.py\n+++ demo/x.py\n@@ -1 +1 @@\n-a\n+b\n"


def rows(**more: str) -> str:
    facts = {"url": '"https://example.org/d/words.zip"', "sha256": f'"{SHA256}"', "into": '"share/demo"', **more}
    return "[[data]]\n" + "".join(f"{key} = {value}\n" for key, value in facts.items())


def a_folder(folder: Path, text: str = PACKAGE, **files: str) -> Path:
    """A recipe's folder; ``files`` go to ``patches/``, with a dot for each underscore of their names."""
    (folder / "patches").mkdir()
    (folder / "recipe.toml").write_text(text)
    for name, content in files.items():
        (folder / "patches" / name.replace("_", ".")).write_text(content)
    return folder


def mistakes(folder: Path) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        recipe_file.load(folder)
    return caught.value.details


def test_patches_are_read_by_name_with_every_byte_of_their_lines(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, b_patch=DIFF)
    dos = DIFF.replace("-a\n+b\n", "-a\r\n+b\r\n")
    (folder / "patches" / "a.patch").write_bytes(dos.encode())
    (folder / "patches" / ".hidden").write_text("of an editor")
    assert recipe_file.load(folder).patches == (
        Patch(package="demo", name="a.patch", text=dos),
        Patch(package="demo", name="b.patch", text=DIFF),
    )


def test_every_file_that_is_no_patch_is_told_at_once(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, a_patch="", b_patch="Mend it.\n", c_diff=DIFF)
    (folder / "patches" / "d.patch").write_bytes(b"\xff\xfe-\0")
    (folder / "patches" / "e.patch").mkdir()
    assert mistakes(folder) == (
        "patches/a.patch: it is empty",
        "patches/b.patch: it is no unified diff: no lines with ---, +++ and @@ are in it",
        "patches/c.diff is not called *.patch",
        "patches/d.patch: it is not UTF-8: byte 0 is 0xff",
        "patches/e.patch: Is a directory",
    )


def test_a_file_in_the_place_of_the_folder_of_patches_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(PACKAGE)
    (tmp_path / "patches").write_text(DIFF)
    assert mistakes(tmp_path) == ("patches is no folder",)
    (tmp_path / "patches").unlink()
    (tmp_path / "patches").symlink_to("absent")
    assert mistakes(tmp_path) == ("patches is no folder",)


def test_a_library_has_neither_patches_nor_data(tmp_path: Path) -> None:
    [data, patch] = mistakes(a_folder(tmp_path, LIBRARY + rows(), a_patch=DIFF))
    assert data == "data goes with [package] alone"
    assert patch.startswith("patches/a.patch: patches go with [package] alone")


def test_data_is_a_file_with_its_name_or_the_files_of_an_archive(tmp_path: Path) -> None:
    text = rows() + rows(url='"https://example.org/a%20b.txt?token=1"', into='"share/x/"')
    text += rows(unpack="true", files='["words/**"]')
    plain = Data(
        package="demo",
        name="words.zip",
        source=Source(url="https://example.org/d/words.zip", sha256=SHA256),
        into="share/demo",
    )
    assert recipe_file.load(a_folder(tmp_path, PACKAGE + text)).data == (
        plain,
        replace(
            plain,
            name="a b.txt",
            source=Source(url="https://example.org/a%20b.txt?token=1", sha256=SHA256),
            into="share/x",
        ),
        replace(plain, unpack=True, files=("words/**",)),
    )


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"url": '"https://example.org/"'}, "data[0].url must be an address that ends with the name of a file"),
        ({"url": '"https://example.org/a%2fb"'}, "data[0].url must be an address that ends with the name of a file"),
        ({"url": '"https://example.org/%ff"'}, "data[0].url must be an address that ends with the name of a file"),
        ({"url": '"https://example.org/.."'}, "data[0].url must be an address that ends with the name of a file"),
        ({"url": '"https://[example.org/a"'}, "data[0].url must be an address that ends with the name of a file"),
        ({"url": "1"}, "data[0].url must be an address that ends with the name of a file"),
        ({"sha256": '"abc"'}, "data[0].sha256 must be 64 hexadecimal digits"),
        ({"into": '"python/demo"'}, "data[0].into must lie below share/ or etc/"),
        ({"into": '"share/../lib"'}, "data[0].into must stay below its folder"),
        ({"files": '["words/**"]'}, "data[0].files goes with unpack = true alone"),
        ({"files": '["words/**"]', "unpack": "false"}, "data[0].files goes with unpack = true alone"),
        ({"files": '["../**"]', "unpack": "true"}, "must stay below its folder"),
        ({"unpack": '"yes"'}, "data[0].unpack must be true or false"),
    ],
)
def test_data_that_cannot_be_is_told(facts: dict[str, str], why: str, tmp_path: Path) -> None:
    assert why in "; ".join(mistakes(a_folder(tmp_path, PACKAGE + rows(**facts))))
