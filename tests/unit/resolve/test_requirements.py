import hashlib
import os
from pathlib import Path

import pytest

from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.resolve import requirements
from layerforge.resolve.errors import RecipeError
from wheels import make_wheel


def test_files_that_include_one_another_twice_are_read_once_each(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"f{number}.txt").write_text(f"-r f{number + 1}.txt\n-r f{number + 1}.txt\n")
    (tmp_path / "f40.txt").write_text("demo\n-r f0.txt\n")
    assert requirements.listed(tmp_path / "f0.txt").requires == ("demo",)


def test_too_many_included_files_are_refused(tmp_path: Path) -> None:
    for number in range(requirements.MOST_FILES + 2):
        (tmp_path / f"f{number}.txt").write_text(f"-r f{number + 1}.txt\n")
    with pytest.raises(RecipeError, match="includes more than"):
        requirements.listed(tmp_path / "f0.txt")


@pytest.mark.parametrize("option", ["-r ", "-c", "--requirement=", "--constraint "])
@pytest.mark.parametrize("included", ["/dev/zero", "pipe", "absent.txt", "file:///dev/zero", "folder"])
def test_what_uv_would_open_is_opened_guarded_first(option: str, included: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "needs.txt").write_text(f"demo\n{option}{included}\n")
    with pytest.raises(RecipeError, match="cannot be read"):
        requirements.listed(tmp_path / "needs.txt")


def test_constraints_are_no_requirements_and_neither_is_what_they_include(tmp_path: Path) -> None:
    (tmp_path / "needs.txt").write_text("demo\n-c limits.txt\n-r both.txt\n")
    (tmp_path / "limits.txt").write_text("other<2\n-r more.txt\n-c both.txt\n")
    (tmp_path / "more.txt").write_text("third<3\n")
    (tmp_path / "both.txt").write_text("fourth\n")
    assert requirements.listed(tmp_path / "needs.txt").requires == ("demo", "fourth")


def test_a_wheel_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "demo-1.0-py3-none-any.whl")
    address = (tmp_path / "demo-1.0-py3-none-any.whl").as_uri()
    for line in (f"demo @ {address}", f"-c limits.txt\n{address}"):
        (tmp_path / "limits.txt").write_text(f"demo @ {address}\n")
        (tmp_path / "needs.txt").write_text(f"{line}\n")
        assert requirements.listed(tmp_path / "needs.txt").refused


def test_a_variable_in_an_included_name_is_read_as_uv_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MORE_OF_IT", "more")
    (tmp_path / "needs.txt").write_text("-r ${MORE_OF_IT}.txt\n")
    (tmp_path / "more.txt").write_text("demo\n")
    assert requirements.listed(tmp_path / "needs.txt").requires == ("demo",)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "[" * 5_000,
        ".".join(["a"] * 50_000) + " = 1",
        "a = " + "9" * 5_000,
        "a = [\n",
        "project = 3",
        "[project]\ndependencies = 3",
        "[project]\ndependencies = [3]",
        "[project]\ndynamic = 3\ndependencies = {}",
        "tool = 3",
        '[project]\ndynamic = ["dependencies"]\n[tool.setuptools]\ndynamic = 3',
    ],
)
def test_a_project_of_any_contents_ends_in_an_error_of_ours(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(LayerforgeError) as caught:
        requirements.listed(tmp_path / "pyproject.toml")
    assert caught.value.exit_code in {2, 3}
    assert caught.value.hint


@pytest.mark.parametrize("data", [b"demo # \xe9\n", b"\x00\xff", "demo\n".encode("utf-16")])
def test_a_file_that_is_not_utf_8_is_told_as_such(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "needs.txt").write_bytes(data)
    with pytest.raises(RecipeError, match="not UTF-8"):
        requirements.listed(tmp_path / "needs.txt")


@pytest.mark.parametrize(
    "line", ["six; python_version ~= '3'", "six==" + "9" * 5_000, "six; " + "(" * 15_000 + "os_name", "a" * 50_000]
)
def test_a_line_that_libraries_trip_over_is_refused_with_its_place(line: str, tmp_path: Path) -> None:
    (tmp_path / "needs.txt").write_text(f"demo\n{line}\n")
    found = requirements.listed(tmp_path / "needs.txt")
    [refused] = found.refused
    assert refused.startswith("needs.txt:2: ")
    assert len(refused) < 500
    assert found.requires == ("demo",)


def test_a_wheel_as_a_line_is_taken_by_the_name_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    wheel, near = make_wheel(tmp_path / "here"), make_wheel(tmp_path / "needs", "near")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lines = [f"./{wheel.name} --hash=sha256:{sha256}", f"demo @ ./{wheel.name}", wheel.as_uri()]
    lines += [f"./{near.name} ; os_name == 'posix'", "https://nowhere.invalid/far-1.0-py3-none-any.whl"]
    (tmp_path / "needs/all.txt").write_text("\n".join(lines) + "\n")
    found = requirements.listed(tmp_path / "needs/all.txt")
    assert not found.refused
    assert found.text.splitlines() == [
        *[f"demo @ {wheel.as_uri()}"] * 3,
        f"near @ {near.as_uri()} ; os_name == 'posix'",
        "far @ https://nowhere.invalid/far-1.0-py3-none-any.whl",
    ]
    assert dict(found.hashes) == {("demo", ""): {f"sha256:{sha256}"}}


def test_dynamic_dependencies_name_the_file_that_they_come_from(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\ndynamic = ["dependencies"]\n'
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError, match="dynamic") as caught:
        requirements.listed(tmp_path / "pyproject.toml")
    assert f"uv build --wheel {tmp_path}" in caught.value.hint
    (tmp_path / "pyproject.toml").write_text(
        f'{text}[tool.setuptools.dynamic]\ndependencies = {{ file = ["needs.txt"] }}\n'
    )
    with pytest.raises(UsageError, match="dynamic") as caught:
        requirements.listed(tmp_path / "pyproject.toml")
    assert f"layerforge build {tmp_path / 'needs.txt'}" in caught.value.hint


def test_a_project_file_without_a_project_says_where_its_requirements_are(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nx = 1\n")
    (tmp_path / "requirements.txt").write_text("demo\n")
    with pytest.raises(UsageError, match="no \\[project\\]") as caught:
        requirements.listed(tmp_path / "pyproject.toml")
    assert f"build {tmp_path}/requirements" in caught.value.hint


def test_options_count_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "t")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "more.txt").write_text(
        "--extra-index-url https://${TOKEN}@nowhere.invalid/simple\ntwo\n-c limits.txt\n"
    )
    (tmp_path / "limits.txt").write_text("three<2\n--index-url https://nowhere.invalid/not-from-here\n")
    text = "-i https://nowhere.invalid/simple\n-f wheels\n--no-index\n--no-binary one,Two\none\n-r more.txt\n"
    (tmp_path / "all.txt").write_text(text)
    found = requirements.listed(tmp_path / "all.txt")
    assert found.indexes == (
        "-i https://nowhere.invalid/simple",
        f"--find-links {(tmp_path / 'wheels').resolve()}",
        "--no-index",
        "--extra-index-url https://t@nowhere.invalid/simple",
    )
    assert found.compiled == ("one", "two")
    assert (found.text, found.requires) == ("one\ntwo", ("one", "two"))
    assert "three<2" in found.constraints


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("--no-binary :all:", "would compile every package"),
        ("--trusted-host nowhere.invalid", "--trusted-host does not count"),
        ("-r https://u:p@nowhere.invalid/r.txt", "lies on a server"),
        ("six --hash=md5:00", "no hash that is enforced"),
        ("six --hash=sha256:00", "no hash that is enforced"),
    ],
)
def test_what_cannot_be_done_as_it_is_asked_is_an_error(tmp_path: Path, line: str, what: str) -> None:
    (tmp_path / "all.txt").write_text(f"{line}\n")
    with pytest.raises(RecipeError, match=what) as caught:
        requirements.listed(tmp_path / "all.txt")
    assert "u:p" not in caught.value.message


def test_hashes_go_by_name_and_version_and_one_kind_of_them_is_enough(tmp_path: Path) -> None:
    one, two, three = (f"sha256:{digit * 64}" for digit in "123")
    lines = [
        f"Six==1 ; python_version < '3' --hash={one} --hash=sha512:{'0' * 128}",
        f"six==2 --hash={two} \\",
        f"    --hash={three}",
        "-c limits.txt",
        "--require-hashes",
    ]
    (tmp_path / "all.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "limits.txt").write_text(f"other<3 --hash={one}\n")
    found = requirements.listed(tmp_path / "all.txt")
    assert dict(found.hashes) == {("six", "1"): {one}, ("six", "2"): {two, three}, ("other", ""): {one}}
    assert found.all_hashed


@pytest.mark.parametrize("line", ["--", "-1 x", "--Index-Url https://nowhere.invalid/simple"])
def test_what_looks_like_an_option_and_is_none_is_told_with_its_line(line: str, tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text(f"demo\n{line}\n")
    with pytest.raises(RecipeError) as caught:
        requirements.listed(tmp_path / "all.txt")
    assert caught.value.message == f"all.txt:2: the option {line.split()[0]} does not count here"


@pytest.mark.parametrize("line", ["--only-binary :all:", "--prefer-binary", "--use-feature=x", "--no-binary :none:"])
def test_options_that_ask_for_what_is_done_anyway_change_nothing(line: str, tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text(f"{line}\ndemo\n")
    found = requirements.listed(tmp_path / "all.txt")
    assert (found.requires, found.indexes, found.compiled, found.refused) == (("demo",), (), (), ())


def test_a_hash_of_what_is_no_requirement_is_told_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text(f"demo @@ https://us:s3cret@there/x --hash=sha256:{'0' * 64}\n")
    with pytest.raises(RecipeError, match="has hashes and is no requirement") as caught:
        requirements.listed(tmp_path / "all.txt")
    assert "s3cret" not in caught.value.message


def test_a_wheel_whose_name_says_nothing_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "demo.whl").touch()
    (tmp_path / "all.txt").write_text("./demo.whl\n")
    [refused] = requirements.listed(tmp_path / "all.txt").refused
    assert refused.startswith("all.txt:1: ./demo.whl: a wheel is called name-version-tags.whl")
