import os
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

from fakes import FakeProgress, stock, target
from layerforge.cli import lock as lock_command
from layerforge.core import digest
from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.resolve import lock, locking, recipe_file, remarks, resolution, targets
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.errors import LockError, RecipeError
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Budget
from sdists import archive
from wheels import lock_of, make_wheel

PACKAGE = 'schema = 2\n[package]\nname = "NAME"\nversions = ">=1,<9"\n'
LIBRARY = (
    'schema = 2\n[library]\nname = "NAME"\nversion = "1"\nscript = "make"\n'
    f'source = {{ url = "https://nowhere.invalid/x", sha256 = "{"a" * 64}" }}\n'
)
LAYER = '[layer]\nrequires = ["demo>=1"]\n'


def a_recipe(folder: Path, lock: str = "", text: str = PACKAGE + LAYER) -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(text.replace("NAME", folder.name))
    (folder / "requirements.lock").write_text(lock)
    return folder


def test_a_recipes_name_asks_for_the_bundled_recipe() -> None:
    [request] = targets.requests(["numpy"], None)
    assert request.spec.folder == catalogue().places["numpy"]
    assert request.lock == catalogue().places["numpy"] / "requirements.lock"
    assert request.renew == "layerforge lock numpy"


def test_bare_requirements_share_a_layer_and_a_recipes_name_beside_them_stands_for_what_it_requires() -> None:
    [request] = targets.requests(["pandas>=3", "pyarrow"], None)
    assert request.spec.name == "pandas-pyarrow"
    assert request.spec.requires == ("pandas>=3", "pyarrow<27,>=26")
    assert request.lock is None


def test_a_folder_a_recipe_file_and_a_requirements_file_are_paths(tmp_path: Path) -> None:
    folder = a_recipe(tmp_path / "mine")
    (tmp_path / "needs.txt").write_text("demo\n")
    found = targets.requests([str(folder), str(tmp_path / "needs.txt")], None, each=True)
    assert [one.spec.name for one in found] == ["mine", "needs"]
    assert found[1].file == tmp_path / "needs.txt"
    assert targets.requests([str(folder / "recipe.toml")], None)[0].spec == found[0].spec


def test_a_path_that_is_not_there_suggests_the_nearest_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six\n")
    for name, hint in (
        ("requirement.txt", f"perhaps you meant {tmp_path / 'requirements.txt'}"),
        ("x/y.txt", "no folder"),
    ):
        with pytest.raises(RecipeError, match="does not exist") as caught:
            targets.requests([str(tmp_path / name)], None)
        assert hint in caught.value.hint


def test_a_path_that_is_not_there_suggests_the_nearest_recipe() -> None:
    with pytest.raises(RecipeError, match="does not exist") as caught:
        targets.requests(["./scikit-lern"], None)
    assert "scikit-learn" in caught.value.hint


@pytest.mark.parametrize("word", ["Pipfile", "template.yaml", "uv.lock", "requirements.in", "src/app"])
def test_a_file_that_is_not_there_is_never_asked_of_the_index(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match="does not exist"):
        targets.requests([word], None)


@pytest.mark.parametrize("word", ["not a requirement!", "pandas=>3", "=="])
def test_what_is_no_requirement_is_a_usage_error_that_shows_one(word: str) -> None:
    with pytest.raises(UsageError, match="neither a recipe, a path nor a requirement") as caught:
        targets.requests([word], None)
    assert '"pandas>=3"' in caught.value.hint


@pytest.mark.parametrize("name", ["helpers", "deps"])
def test_what_lies_on_the_disk_is_never_asked_of_the_index(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deps").write_text("demo\n")
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers/pyproject.toml").write_text('[project]\nname = "My.Helpers"\ndependencies = ["demo"]\n')
    [request] = targets.requests([name], None)
    assert request.file is not None
    assert request.spec.requires == ("demo",)
    [request] = targets.requests([f"{name}>=0"], None)
    assert request.spec.requires == (f"{name}>=0",)


@pytest.mark.parametrize("name", ["./helpers", "helpers"])
def test_the_hint_for_a_folder_that_asks_for_nothing_works(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "helpers").mkdir()
    with pytest.raises(RecipeError, match=r"without recipe\.toml") as caught:
        targets.requests([name], None)
    assert '"helpers>=0"' in caught.value.hint
    assert targets.requests(["helpers>=0"], None)[0].spec.name == "helpers"


def test_a_name_that_could_be_either_is_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    a_recipe(tmp_path / "numpy")
    (tmp_path / "helpers").mkdir()
    with pytest.raises(UsageError, match="the recipe numpy too") as caught:
        targets.requests(["numpy"], None)
    recipes = str(catalogue().places["numpy"])
    assert recipes in caught.value.hint
    assert targets.requests(["./numpy"], None)[0].spec.folder == Path("numpy")
    assert targets.requests([recipes], None)[0].spec.name == "numpy"
    with pytest.raises(UsageError, match="could be a package too") as caught:
        targets.requests(["helpers[fast]"], None)
    assert '"helpers[fast]>=0"' in caught.value.hint


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("environment.yml", "requirements.txt"),
        ("app.py", "requirements.txt"),
    ],
)
def test_other_tools_files_are_recognised_with_what_helps(
    name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("")
    for word in (name, f"./{name}"):
        with pytest.raises(UsageError) as caught:
            targets.requests([word], None)
        assert says in caught.value.hint
    (tmp_path / "folder").mkdir()
    (tmp_path / name).rename(tmp_path / "folder" / name)
    with pytest.raises(RecipeError, match="without") as refused:
        targets.requests(["folder"], None)
    assert name == "app.py" or says in refused.value.hint


def test_the_folder_of_a_setup_py_is_what_its_hint_says_and_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("")
    with pytest.raises(UsageError) as caught:
        targets.requests([str(tmp_path / "setup.py")], None)
    assert "name its folder" in caught.value.hint
    [found] = targets.requests([str(tmp_path)], None)
    assert found.own_code or found.listed.local


@pytest.mark.parametrize(
    ("word", "text", "name"),
    [
        ("git+https://there/a/b@main", "git+https://there/a/b@main", "b"),
        ("Demo[x] @ git+https://there/a/b.git@main", "demo[x] @ git+https://there/a/b.git@main", "demo"),
        ("https://there/some_thing-1.0.tar.gz", "https://there/some_thing-1.0.tar.gz", "some-thing"),
    ],
)
def test_what_is_no_wheel_is_kept_to_make_one_of_it(word: str, text: str, name: str) -> None:
    [request] = targets.requests([word, "idna"], None)
    assert request.listed.local == (text,)
    assert (request.text, request.spec.requires) == ("idna", ("idna",))
    assert request.spec.name == f"idna-{name}"


@pytest.mark.parametrize("word", ["hg+https://there/a", "demo @ https://there/page", "git+https://there/a@--upload"])
def test_an_address_that_no_wheel_can_be_made_of_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="cannot be taken") as caught:
        targets.requests([word], None)
    assert caught.value.hint


def test_a_bare_address_of_a_wheel_is_taken_by_its_name() -> None:
    [request] = targets.requests(["https://there/demo-1.0-py3-none-any.whl"], None)
    assert request.text == "demo @ https://there/demo-1.0-py3-none-any.whl"
    assert request.spec.name == "demo"


@pytest.mark.parametrize("name", ["sklearn", "PIL", "cv2", "yaml", "bs4", "jwt", "dotenv", "dateutil"])
def test_a_modules_name_leads_to_its_package_before_anything_is_resolved(name: str) -> None:
    with pytest.raises(UsageError, match="is a module of the package") as caught:
        targets.requests([name], None)
    assert f'"{name}>=0"' in caught.value.hint
    assert targets.requests([f"{name}>=0"], None)[0].spec.requires == (f"{name}>=0",)


def test_what_of_a_project_does_not_count_is_told_and_its_name_is_the_layers(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "My.Shop"\nrequires-python = ">=3.14"\ndependencies = ["yaml"]\n'
        '[project.optional-dependencies]\nfast = ["demo"]\n[dependency-groups]\ndev = ["demo"]\n'
    )
    [request] = targets.requests([str(tmp_path)], None)
    assert request.spec.name == "My-Shop"
    progress = FakeProgress()
    remarks.tell(request, progress)
    told = "\n".join(progress.lines)
    for part in (
        "no code of its own for the layer: it has no [build-system]",
        "do not come in: the extra fast, the group dev (--extra NAME and --group NAME)",
    ):
        assert part in told
    warned = "\n".join(progress.warnings)
    assert "yaml is a module of the package pyyaml" in warned


def test_what_is_told_of_files_is_told_where_words_stand_beside_them_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deps").write_text("yaml\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\ndependencies = ["idna"]\n')
    [request] = targets.requests(["deps", "pyproject.toml", "six"], None)
    progress = FakeProgress()
    remarks.tell(request, progress)
    told = "\n".join(progress.lines)
    assert "deps is read as the file of that name here" in told
    assert "no code of its own" in told
    assert "yaml is a module of the package pyyaml" in "\n".join(progress.warnings)


def test_renewing_a_lock_for_an_older_python_is_advised_only_where_it_can_be_done(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "demo", "0.9", tag="cp310-cp310-manylinux_2_17_x86_64")
    make_wheel(index, "demo", "1.5", tag="cp313-cp313-manylinux_2_17_x86_64")
    first = lock.header("3.12", "x")
    [request] = targets.requests([str(a_recipe(tmp_path / "mine", first))], None)
    with pytest.raises(LockError, match=r"the target is 3\.10") as caught:
        locking.locked(request, target("3.10"), stock())
    assert 'name "demo==0.9" instead' in caught.value.hint
    make_wheel(index, "demo", "1.1", tag="cp310-cp310-manylinux_2_17_x86_64")
    with pytest.raises(LockError) as caught:
        locking.locked(request, target("3.10"), stock())
    assert "--python 3.10`" in caught.value.hint


def test_the_advice_for_an_older_python_knows_the_indexes_of_the_requirements_file(index: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    make_wheel(own, "demo", "0.9", tag="cp310-cp310-manylinux_2_17_x86_64")
    (tmp_path / "needs.txt").write_text("--find-links own\ndemo>=1\n")
    (tmp_path / "my.lock").write_text(lock.header("3.12", "x"))
    [request] = targets.requests([str(tmp_path / "needs.txt")], tmp_path / "my.lock")
    with pytest.raises(LockError, match=r"the target is 3\.10") as caught:
        locking.locked(request, target("3.10"), stock())
    assert 'name "demo==0.9" instead' in caught.value.hint
    (tmp_path / "own/demo-0.9-cp310-cp310-manylinux_2_17_x86_64.whl").unlink()
    with pytest.raises(LockError) as caught:
        locking.locked(request, target("3.10"), stock())
    assert caught.value.hint.endswith("take a newer Python")


def test_a_file_that_is_called_as_a_package_is_said_to_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demo").write_text("other\n")
    [request] = targets.requests(["demo"], None)
    progress = FakeProgress()
    remarks.tell(request, progress)
    assert progress.lines == ["demo is read as the file of that name here, and not asked of an index"]


def test_bare_requirements_have_no_lock_of_build_environments() -> None:
    [request] = targets.requests(["demo"], None)
    assert request.build_lock is None
    [request] = targets.requests(["demo"], Path("my.lock"))
    assert request.build_lock == Path(f"my.{recipe_file.BUILD_LOCK}")


@pytest.mark.parametrize(("name", "says"), [("layers.lock", "without words"), ("setup.py", "name its folder")])
def test_a_file_that_is_no_lock_at_all_is_told_in_one_line(name: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        targets.requests(["demo"], Path(name))
    assert says in caught.value.hint


def test_a_given_lock_goes_with_one_layer_only() -> None:
    [request] = targets.requests(["lxml"], Path("my.lock"))
    assert request.lock == Path("my.lock")
    with pytest.raises(UsageError, match="single layer"):
        targets.requests(["numpy", "pillow"], Path("my.lock"), each=True)
    [request] = targets.requests(["numpy", "pillow"], Path("my.lock"))
    assert request.lock == Path("my.lock")


def test_a_recipe_is_built_from_its_lock_and_nothing_is_resolved(index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(index, version="1.0")
    make_wheel(index, version="2.0")
    [request] = targets.requests([str(a_recipe(tmp_path / "mine", lock_of(wheel)))], None)
    progress = FakeProgress()
    found = locking.locked(request, target(), stock(progress))
    assert [pin.version for pin in locking.pins(request, found, target())] == ["1.0"]
    assert progress.steps == []


def test_a_bare_requirement_is_resolved(index: Path) -> None:
    make_wheel(index, version="2.0", requires=["other"])
    make_wheel(index, "other", "3.0")
    [request] = targets.requests(["demo"], None)
    found = locking.locked(request, target(), stock())
    assert [(pin.name, pin.version) for pin in found.pins] == [("demo", "2.0"), ("other", "3.0")]


def test_a_missing_lock_says_how_to_write_it(tmp_path: Path) -> None:
    folder = a_recipe(tmp_path / "mine")
    (folder / "requirements.lock").unlink()
    [request] = targets.requests([str(folder)], None)
    with pytest.raises(LockError) as caught:
        locking.locked(request, target(), stock())
    assert caught.value.hint == f"write it with `layerforge lock {folder}`"


def test_a_typo_in_a_recipes_name_is_a_recipe_error_with_the_nearest_name(index: Path) -> None:
    assert index.is_dir()
    [request] = targets.requests(["scikit-lern"], None)
    progress = FakeProgress()
    with pytest.raises(RecipeError) as caught:
        locking.locked(request, target(), stock(progress))
    assert caught.value.hint == "perhaps you meant scikit-learn"
    assert "perhaps you meant scikit-learn" in progress.warnings[0]


@pytest.mark.parametrize("words", [["scikit-lern", "six"], ["six", "scikit-lern>=1"]])
def test_a_typo_beside_other_words_is_told_too(words: list[str], index: Path) -> None:
    make_wheel(index, "six")
    [request] = targets.requests(words, None)
    with pytest.raises(RecipeError, match="there is no recipe and no package scikit-lern") as caught:
        locking.locked(request, target(), stock())
    assert caught.value.hint == "perhaps you meant scikit-learn"


def test_an_unknown_package_far_from_every_recipe_is_a_lock_error(index: Path) -> None:
    assert index.is_dir()
    [request] = targets.requests(["qwertyuiop"], None)
    with pytest.raises(LockError, match="there is no package qwertyuiop"):
        locking.locked(request, target(), stock())


def test_a_universal_lock_starts_with_its_oldest_python_and_holds_no_address(index: Path, tmp_path: Path) -> None:
    make_wheel(index, version="2.0")
    [request] = targets.requests([str(a_recipe(tmp_path / "mine"))], None)
    text = locking.universal(request, "3.12", stock())
    assert text.startswith("# Locked by layerforge for Python 3.12 and newer.")
    assert "demo==2.0" in text
    assert str(index) not in text


def test_a_wheel_on_disk_is_a_target(index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", version="4.0")
    [request] = targets.requests([str(wheel)], None)
    assert index.is_dir()
    [pin] = locking.locked(request, target(), stock()).pins
    assert (pin.name, pin.address) == ("demo", wheel.resolve().as_uri())


def build_pins_of(words: list[str], text: str, folder: Path) -> tuple[Pin, ...]:
    (folder / "given.lock").write_text(text)
    [request] = targets.requests(words, folder / "given.lock")
    return locking.pins(request, locking.locked(request, target(), stock()), target())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("needs.txt", "other  # why\n"),
        ("needs.txt", "--index-url https://us:s3cret@there/simple\n-c limits.txt\nother>=1 ; python_version >= '3'\n"),
        ("needs.txt", "-r more.txt\n"),
        ("needs.in", f"other==1.0 \\\n  --hash=sha256:{'a' * 64}\n"),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["other>=1"]\n'),
    ],
)
def test_a_lock_that_lacks_what_a_file_requires_is_stale(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "more.txt").write_text("-r needs.txt\nother\n")
    (tmp_path / "limits.txt").write_text("other<9\n")
    hashes = f"--hash=sha256:{'a' * 64}\n"
    with pytest.raises(LockError, match="the lock is stale") as caught:
        build_pins_of([str(tmp_path / name)], f"demo==1.0 {hashes}", tmp_path)
    assert "other" in caught.value.details[0]
    assert f"{name} -o {tmp_path / 'given.lock'}" in caught.value.hint
    assert len(build_pins_of([str(tmp_path / name)], f"demo==1.0 {hashes}other==1.0 {hashes}", tmp_path)) == 2


def test_lines_that_only_uv_can_read_are_told_where_a_lock_is_given(tmp_path: Path) -> None:
    (tmp_path / "needs.txt").write_text("demo\n-e ./project\nother @ gopher://there\n")
    (tmp_path / "my.lock").write_text(f"demo==1.0 --hash=sha256:{'a' * 64}\n")
    [request] = targets.requests([str(tmp_path / "needs.txt")], tmp_path / "my.lock")
    progress = FakeProgress()
    locking.locked(request, target(), stock(progress))
    [warning] = progress.warnings
    assert "needs.txt:2: -e ./project" in warning
    assert "needs.txt:3: other @ gopher" in warning


def test_a_file_that_is_resolved_is_not_held_against_its_own_lines(index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    make_wheel(tmp_path / "wheels", "other")
    (tmp_path / "needs.txt").write_text(f"demo\n-r {tmp_path / 'more.txt'}\n")
    (tmp_path / "more.txt").write_text(f"other @ {(tmp_path / 'wheels/other-1.0-py3-none-any.whl').as_uri()}\n")
    [request] = targets.requests([str(tmp_path / "needs.txt")], None)
    progress = FakeProgress()
    found = locking.locked(request, target(), stock(progress))
    assert [pin.name for pin in locking.pins(request, found, target())] == ["demo", "other"]
    assert request.spec.requires == ("demo", "other==1.0")
    assert progress.warnings == []


def test_extras_that_are_asked_for_stand_on_the_pins(tmp_path: Path) -> None:
    text = f"demo==1.0 --hash=sha256:{'a' * 64}\n"
    [pin] = build_pins_of(["demo[fast,small]>=1"], text, tmp_path)
    assert pin.extras == ("fast", "small")
    assert lock.render([pin]).startswith("demo[fast,small]==1.0 ")
    [pin] = build_pins_of(["demo[fast]; sys_platform == 'win32'", "demo"], text, tmp_path)
    assert pin.extras == ()


@pytest.mark.parametrize("address", ["http://us:s3cret@there/x.whl", "https://t0ken@there/x.whl"])
def test_an_address_with_credentials_is_refused_without_telling_them(address: str, tmp_path: Path) -> None:
    (tmp_path / "needs.txt").write_text(f"demo\nidna @ {address}\n")
    for asked in (f"idna @ {address}", str(tmp_path / "needs.txt")):
        with pytest.raises(UsageError, match="idna holds credentials") as caught:
            targets.requests([asked], None)
        assert "netrc" in caught.value.hint
        told = f"{caught.value.message} {caught.value.hint} {caught.value.details}"
        assert "s3cret" not in told
        assert "t0ken" not in told


@pytest.mark.parametrize("address", ["git+ssh://a:s3cret@b/c", "https://s3cret@b/c-1.0.tar.gz"])
def test_a_source_with_credentials_is_refused_without_telling_them(address: str, tmp_path: Path) -> None:
    (tmp_path / "needs.txt").write_text(f"demo\nidna @ {address}\n")
    for asked in (f"idna @ {address}", str(tmp_path / "needs.txt")):
        with pytest.raises(LayerforgeError) as caught:
            targets.requests([asked], None)
        told = f"{caught.value.message} {caught.value.hint} {caught.value.details}"
        assert "its address holds credentials" in told
        assert "s3cret" not in told


def test_what_is_no_requirement_is_told_without_its_password() -> None:
    for word in ("https://us:s3cret@there/x.whl", "idna @ https://us:s3cret@there/x.whl ;;"):
        with pytest.raises(UsageError) as caught:
            targets.requests([word], None)
        assert "s3cret" not in f"{caught.value.message}{caught.value.details}"


def test_two_layers_of_one_name_are_refused_with_both(tmp_path: Path) -> None:
    files = [tmp_path / name / "requirements.txt" for name in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text("demo\n")
    with pytest.raises(UsageError, match="would both be the layer requirements") as caught:
        targets.requests([str(file) for file in files], None, each=True)
    assert all(str(file) in caught.value.message for file in files)
    assert len(targets.requests([str(files[0]), str(files[0])], None)) == 1


@pytest.mark.parametrize("word", ["Scikit_Learn", "scikit.learn ", " SCIKIT-LEARN"])
def test_a_recipes_name_is_normalised(word: str) -> None:
    [request] = targets.requests([word], None)
    assert request.spec.folder == catalogue().places["scikit-learn"]


def test_a_requirement_that_is_named_twice_counts_once() -> None:
    [request] = targets.requests(["six", "six ", "six"], None)
    assert (request.spec.name, request.spec.requires) == ("six", ("six",))


def test_a_wheels_file_name_alone_is_a_path_and_joins_bare_requirements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(tmp_path, "my-demo", "4.0")
    monkeypatch.chdir(tmp_path)
    [request] = targets.requests([wheel.name, "idna"], None)
    assert request.spec.name == "my-demo-idna"
    assert request.spec.requires == ("my-demo==4.0", "idna")
    assert request.text == f"my-demo @ {wheel.as_uri()}\nidna"


@pytest.mark.parametrize("name", ["my_demo-1.0.tar.gz", "my_demo-1.0.zip"])
def test_a_source_distribution_on_disk_is_one_that_a_wheel_is_made_of(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    [request] = targets.requests([str(tmp_path / name)], None)
    assert request.listed.local == ((tmp_path / name).as_uri(),)
    assert request.spec.name == "my-demo"


def test_a_file_that_is_not_called_as_a_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo.whl").touch()
    with pytest.raises(UsageError, match="not called as a wheel"):
        targets.requests([str(tmp_path / "demo.whl")], None)


def test_a_wheel_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "demo-1.0-py3-none-any.whl")
    with pytest.raises(UsageError, match="no regular file"):
        targets.requests([str(tmp_path / "demo-1.0-py3-none-any.whl")], None)


def test_a_project_without_a_recipe_is_its_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\ndependencies = ["demo"]\n')
    [request] = targets.requests([str(tmp_path)], None)
    assert request.file == tmp_path / "pyproject.toml"
    assert request.spec.requires == ("demo",)


@pytest.mark.parametrize(
    ("line", "suffix"),
    [("-e ./project", ""), ("./project", ""), ("project/", ""), ("--editable=project[b,a]", "[a,b]"), ("-e .", "")],
)
def test_a_local_project_in_a_file_is_one_that_a_wheel_is_made_of(
    line: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path if line == "-e ." else tmp_path / "project"
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    (folder / "pyproject.toml").write_text("")
    (tmp_path / "needs.txt").write_text(f"{line}\n")
    [request] = targets.requests([str(tmp_path / "needs.txt")], None)
    assert request.listed.local == (f"{folder.as_uri()}{suffix}",)
    assert (request.text, request.spec.requires, request.listed.unread) == ("", (), ())


def test_the_command_that_renews_a_lock_can_be_run() -> None:
    [request] = targets.requests(["pandas>=3", "pyarrow"], None)
    assert request.renew == "layerforge lock 'pandas>=3' pyarrow"
    [request] = targets.requests(["pandas>=3", "pyarrow"], Path("my.lock"))
    assert request.renew == "layerforge lock 'pandas>=3' pyarrow -o my.lock"
    [request] = targets.requests(["numpy"], Path("my.lock"))
    assert request.renew == "layerforge lock numpy -o my.lock"


def test_a_recipe_of_an_installed_layerforge_names_the_way_out(tmp_path: Path) -> None:
    folder = a_recipe(tmp_path / "site-packages/layerforge/data/recipes/mine", f"demo==0.5 --hash=sha256:{'a' * 64}")
    [request] = targets.requests([str(folder)], None)
    with pytest.raises(LockError, match="stale") as caught:
        locking.pins(request, locking.locked(request, target(), stock()), target())
    assert caught.value.hint == 'name requirements instead of the recipe, such as "demo>=1"'
    with pytest.raises(UsageError) as refused:
        lock_command.place(request)
    assert '"demo>=1"' in refused.value.hint


def test_a_lock_names_no_path_of_the_machine_that_wrote_it(index: Path, tmp_path: Path) -> None:
    make_wheel(index, version="2.0")
    wheel = make_wheel(tmp_path / "wheels", "other", "3.0")
    (tmp_path / "needs.txt").write_text("demo\n")
    folder = a_recipe(tmp_path / "mine")
    for words, named in (
        ([str(folder)], "FOLDER"),
        ([str(tmp_path / "needs.txt")], "needs.txt"),
        ([str(wheel)], wheel.name),
    ):
        [request] = targets.requests(words, None)
        text = locking.universal(request, "3.12", stock())
        assert str(tmp_path) not in text
        assert f"Renew with: layerforge lock {named}\n" in text
    assert "\nother==3.0 " in text


def test_several_requirements_are_locked_together_and_counted(index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    make_wheel(index, "other")
    place = tmp_path / "my.lock"
    done = CliRunner().invoke(lock_command.command, ["demo>=1", "other", "--python", "3.13", "-o", str(place)])
    assert done.exit_code == 0, done.output
    first, *rest = place.read_text().splitlines()
    assert first.endswith("layerforge lock 'demo>=1' other -o my.lock --python 3.13")
    assert [line.split("==")[0] for line in rest if "==" in line] == ["demo", "other"]
    assert "2 packages in" in done.stderr


def test_one_file_cannot_take_several_locks(tmp_path: Path) -> None:
    done = CliRunner().invoke(lock_command.command, ["numpy", "scipy", "-o", str(tmp_path / "my.lock")])
    assert isinstance(done.exception, UsageError)
    assert "single lock" in done.exception.message


# --- one layer of all that is named


def everything(folder: Path, index: Path) -> dict[str, str]:
    """A word of each kind that a layer can be asked for with, by the package that it asks for."""
    (folder / "needs.txt").write_text("one>=1  # of a file\n")
    (folder / "project").mkdir()
    (folder / "project/pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\ndependencies = ["two"]\n')
    layer = LAYER.replace("demo>=1", "three")
    words = {
        "one": str(folder / "needs.txt"),
        "two": str(folder / "project"),
        "three": str(a_recipe(folder / "three", text=PACKAGE + layer)),
        "four": str(a_recipe(folder / "four", text=PACKAGE)),
        "five": str(make_wheel(folder / "wheels", "five", "5.0")),
        "six": "six>=1",
    }
    for name in words.keys() - {"five"}:
        make_wheel(index, name, "1.0")
    return words


def test_all_that_is_named_is_one_layer_whatever_kind_of_word_it_is(index: Path, tmp_path: Path) -> None:
    words = everything(tmp_path, index)
    [request] = targets.requests(list(words.values()), None)
    assert request.spec.name == "needs-shop-three-four-five-six"
    assert set(request.spec.requires) == {"one>=1", "two", "three", "four<9,>=1", "five==5.0", "six>=1"}
    assert (request.lock, request.spec.folder) == (None, None)
    assert sorted(request.given) == sorted(words.values())
    found = locking.locked(request, target(), stock())
    assert {pin.name for pin in locking.pins(request, found, target())} == set(words)
    for name in ("three", "four"):
        recipe = request.catalogue.find(name)
        assert recipe is not None
        assert recipe.folder == tmp_path / name


def test_each_word_is_a_layer_of_its_own_where_that_is_asked_for(index: Path, tmp_path: Path) -> None:
    words = everything(tmp_path, index)
    found = targets.requests(list(words.values()), None, each=True)
    assert [one.spec.name for one in found] == ["needs", "shop", "three", "four", "five", "six"]
    assert [one.given for one in found] == [(word,) for word in words.values()]
    assert [one.lock for one in found] == [None, None, tmp_path / "three/requirements.lock", None, None, None]


@pytest.mark.parametrize("each", [True, False])
def test_a_word_that_is_named_twice_counts_once(each: bool, tmp_path: Path) -> None:
    folder = str(a_recipe(tmp_path / "mine"))
    [request] = targets.requests([folder, folder], None, each=each)
    assert request.lock == tmp_path / "mine/requirements.lock"


def test_recipes_names_share_a_layer_that_requires_what_they_all_do_and_is_resolved() -> None:
    [request] = targets.requests(["pandas", "scikit-learn"], None)
    recipes = [catalogue().target(name) for name in ("pandas", "scikit-learn")]
    texts = [text for recipe in recipes if recipe and recipe.layer for text in recipe.layer.requires]
    assert list(map(Requirement, request.spec.requires)) == list(map(Requirement, texts))
    assert (request.spec.name, request.lock, request.spec.folder) == ("pandas-scikit-learn", None, None)
    assert request.spec.budget == Budget()
    assert request.renew == "layerforge lock pandas scikit-learn"


def test_a_recipe_that_is_no_target_is_a_package_like_any_other() -> None:
    [request] = targets.requests(["joblib"], None)
    assert (request.spec.requires, request.lock, request.spec.folder) == (("joblib",), None, None)


def test_the_folder_of_a_recipe_without_a_layer_asks_for_its_package_in_the_versions_that_it_is_for(
    tmp_path: Path,
) -> None:
    folder = a_recipe(tmp_path / "mine", text=PACKAGE)
    for word in (str(folder), str(folder / "recipe.toml")):
        [request] = targets.requests([word], None)
        assert (request.spec.name, request.spec.requires) == ("mine", ("mine<9,>=1",))
        assert (request.lock, request.spec.folder, request.given) == (None, None, (word,))
        recipe = request.catalogue.find("mine")
        assert recipe is not None
        assert recipe.folder == folder


def test_no_layer_is_built_of_a_library_alone(index: Path, tmp_path: Path) -> None:
    assert index.is_dir()
    folder = str(a_recipe(tmp_path / "libdemo", text=LIBRARY))
    for words in ([folder], [folder, "idna"]):
        with pytest.raises(UsageError, match="libdemo is a library, which no layer is built of alone") as caught:
            targets.requests(words, None)
        assert "package whose recipe needs it" in caught.value.hint
    [request] = targets.requests(["openblas"], None)
    with pytest.raises(RecipeError, match="openblas is a library, which no layer is built of alone") as refused:
        locking.locked(request, target(), stock())
    assert "package whose recipe needs it" in refused.value.hint


def test_the_folder_of_a_recipe_is_called_as_that_is(tmp_path: Path) -> None:
    folder = a_recipe(tmp_path / "mine", text=PACKAGE.replace("NAME", "other") + LAYER)
    with pytest.raises(RecipeError, match="mine holds the recipe other") as caught:
        targets.requests([str(folder)], None)
    assert caught.value.hint.startswith("name the folder other")


def test_a_recipe_of_a_projects_folder_is_a_target_by_its_name(tmp_path: Path) -> None:
    a_recipe(tmp_path / "numpy")
    known = catalogue(tmp_path)
    [request] = targets.requests(["numpy"], None, known)
    assert (request.spec.folder, request.spec.requires) == (tmp_path / "numpy", ("demo>=1",))
    assert request.lock == tmp_path / "numpy/requirements.lock"
    assert request.renew == f"layerforge lock {tmp_path / 'numpy'}"
    [request] = targets.requests(["numpy", "scipy"], None, known)
    assert request.spec.requires[0] == "demo>=1"
    assert request.catalogue.places["numpy"] == tmp_path / "numpy"


def test_the_command_that_renews_a_lock_names_the_folder_of_a_projects_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a_recipe(tmp_path / "mine" / "demo")
    for folder, named in (("mine", "./mine/demo"), ("./mine", "./mine/demo"), (str(tmp_path / "mine"), str(tmp_path))):
        [request] = targets.requests(["demo"], None, catalogue(Path(folder)))
        assert request.renew.startswith(f"layerforge lock {named}")
        [again] = targets.requests(list(request.given), None)
        assert again.spec == replace(request.spec, folder=again.spec.folder)


@pytest.mark.parametrize(
    ("words", "alone"),
    [
        (["numpy"], True),
        (["numpy", "./needs.txt"], True),
        (["numpy", "httpx"], False),
        (["numpy>=2"], False),
        (["joblib"], False),
        (["./demo-1.0-py3-none-any.whl"], False),
    ],
)
def test_recipes_files_and_folders_have_locks_of_their_own(words: list[str], alone: bool) -> None:
    assert targets.stand_alone(words, catalogue()) == alone


# --- hashes that the user names


def hashes_of(index: Path) -> list[str]:
    return [f"sha256:{digest.of_file(path)}" for path in sorted(index.iterdir())]


@pytest.mark.parametrize("form", ["file", "word", "lock"])
def test_a_hash_that_the_user_names_is_enforced(index: Path, tmp_path: Path, form: str) -> None:
    make_wheel(index, "demo", "1.0", tag="cp313-cp313-manylinux_2_17_x86_64")
    make_wheel(index, "demo", "1.0", tag="cp312-cp312-manylinux_2_17_x86_64")
    one, two = hashes_of(index)

    def pins(wanted: str) -> tuple[Pin, ...]:
        line = f"demo==1.0 --hash={wanted}"
        (tmp_path / "all.txt").write_text(f"{line}\n")
        (tmp_path / "my.lock").write_text(f"demo==1.0 --hash={one} --hash={two}\n")
        word = line if form == "word" else str(tmp_path / "all.txt")
        [request] = targets.requests([word], tmp_path / "my.lock" if form == "lock" else None)
        return locking.locked(request, target(), stock()).pins

    assert [pin.hashes for pin in pins(two)] == [(two,)]
    with pytest.raises(LockError, match="no file has a hash that is asked for") as caught:
        pins(f"sha256:{'0' * 64}")
    assert "demo 1.0" in caught.value.details[0]


def test_a_lock_that_is_written_holds_the_users_hashes_alone(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "demo", "1.0", tag="cp313-cp313-manylinux_2_17_x86_64")
    make_wheel(index, "demo", "1.0", tag="cp312-cp312-manylinux_2_17_x86_64")
    one, two = hashes_of(index)
    (tmp_path / "all.txt").write_text(f"demo==1.0 --hash={one}\n")
    [request] = targets.requests([str(tmp_path / "all.txt")], None)
    text = locking.universal(request, "3.12", stock())
    assert one in text
    assert two not in text


def test_two_versions_of_a_package_have_hashes_of_their_own(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "demo", "1.0")
    make_wheel(index, "demo", "2.0")
    one, two = hashes_of(index)
    lines = f"demo==1.0 ; python_version < '3.13' --hash={one}\ndemo==2.0 ; python_version >= '3.13' --hash={two}\n"
    (tmp_path / "all.txt").write_text(lines)
    [request] = targets.requests([str(tmp_path / "all.txt")], None)
    assert [pin.hashes for pin in locking.locked(request, target(), stock()).pins] == [(two,)]
    assert [pin.hashes for pin in locking.locked(request, target("3.12"), stock()).pins] == [(one,)]


@pytest.mark.parametrize(
    "line",
    [
        "demo==1 {}",
        "demo (==1.0) {}",
        "demo==1.0.0 {}",
        "demo===1.0 {}",
        "demo>=1 {}",
        "demo {}",
        "demo==1.0 {}\ndemo {}",
    ],
)
def test_however_a_version_is_written_its_hash_is_enforced(index: Path, tmp_path: Path, line: str) -> None:
    make_wheel(index, "demo", "1.0")
    [one] = hashes_of(index)
    for wanted, fits in ((one, True), (f"sha256:{'0' * 64}", False)):
        (tmp_path / "all.txt").write_text(line.replace("{}", f"--hash={wanted}") + "\n")
        [request] = targets.requests([str(tmp_path / "all.txt")], None)
        if fits:
            assert [pin.hashes for pin in locking.locked(request, target(), stock()).pins] == [(one,)]
        else:
            with pytest.raises(LockError, match="no file has a hash"):
                locking.locked(request, target(), stock())


@pytest.mark.parametrize("second", ["demo==1.0 --hash={}", "demo --hash={}", "-c limits.txt"])
def test_hashes_that_contradict_each_other_fit_no_file(index: Path, tmp_path: Path, second: str) -> None:
    make_wheel(index, "demo", "1.0")
    [one] = hashes_of(index)
    wrong = f"sha256:{'1' * 64}"
    (tmp_path / "limits.txt").write_text(f"demo --hash={wrong}\n")
    (tmp_path / "all.txt").write_text(f"demo==1.0 --hash={one}\n{second.format(wrong)}\n")
    [request] = targets.requests([str(tmp_path / "all.txt")], None)
    with pytest.raises(LockError, match="no file has a hash"):
        locking.locked(request, target(), stock())


def test_where_every_package_is_to_have_a_hash_one_without_is_an_error(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "demo", "1.0", requires=["other"])
    make_wheel(index, "other", "1.0")
    one, _ = hashes_of(index)
    (tmp_path / "all.txt").write_text(f"--require-hashes\ndemo==1.0 --hash={one}\n")
    [request] = targets.requests([str(tmp_path / "all.txt")], None)
    with pytest.raises(LockError, match="--require-hashes") as caught:
        locking.locked(request, target(), stock())
    assert caught.value.details == ("other",)


# --- what is older than it need be


@pytest.mark.parametrize("where", ["target", "universal"])
def test_a_release_without_a_wheel_is_told_where_an_older_one_is_taken(index: Path, tmp_path: Path, where: str) -> None:
    make_wheel(index, "demo", "1.0")
    (index / "demo-2.0.tar.gz").write_bytes(archive({"demo-2.0/PKG-INFO": "Name: demo\n"}))
    [request] = targets.requests(["demo>=0"], None)
    progress = FakeProgress()
    if where == "target":
        assert [pin.version for pin in locking.locked(request, target(), stock(progress)).pins] == ["1.0"]
    else:
        assert "demo==1.0" in locking.universal(request, "3.12", stock(progress))
    [told] = progress.warnings
    assert "demo 1.0 is taken: 2.0, the newest, has no wheel" in told
    assert "--from-source demo" in told


def test_an_older_release_that_was_asked_for_is_not_told_of(index: Path) -> None:
    make_wheel(index, "demo", "1.0")
    make_wheel(index, "demo", "2.0")
    [request] = targets.requests(["demo<2"], None)
    progress = FakeProgress()
    locking.locked(request, target(), stock(progress))
    assert progress.warnings == []


@pytest.mark.parametrize("line", ["demo", "demo>=1 --hash=sha256:0", "-e ./here", "demo @ file:///there"])
def test_what_uv_passes_on_without_version_and_hash_cannot_be_locked(line: str) -> None:
    with pytest.raises(LockError, match="the requirements cannot be locked") as caught:
        resolution.understood(f"{line}\n")
    assert "exact versions with hashes" in caught.value.hint
    assert len(caught.value.details) == 1
