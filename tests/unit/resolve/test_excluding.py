from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from fakes import FakeProgress, stock, target
from layerforge.core.errors import UsageError
from layerforge.resolve import excluding, locking, targets, uv
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.compose import compose
from layerforge.resolve.errors import LockError, RecipeError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.leaving_out import Chosen
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.resolve.lock import Pin
from layerforge.resolve.request import Request, leaving_out, merged
from wheels import lock_of, make_wheel

RUNTIME = target().runtime


def pin(name: str, version: str = "1.0") -> Pin:
    return Pin(name=name, version=version, hashes=("sha256:" + "0" * 64,))


def request(*words: str, lock: Path | None = None, out: tuple[str, ...] = ()) -> Request:
    [found] = targets.requests(words, lock)
    return leaving_out(found, out)


def chosen(asked: Request, progress: FakeProgress | None = None) -> Chosen:
    return locking.locked_pins(asked, target(), stock(progress))


def names(found: Chosen) -> list[str]:
    return [one.name for one in found.pins]


def gone(found: Chosen) -> list[tuple[str, str, Why]]:
    return [(one.name, one.version, one.why) for one in found.left_out]


@pytest.fixture
def wheels(index: Path) -> list[Path]:
    """demo needs both and huge; huge needs only-its and both; dateutil is the runtime's."""
    return [
        make_wheel(index, requires=["huge", "both", "python-dateutil"]),
        make_wheel(index, "huge", requires=["only-its", "both"]),
        make_wheel(index, "only-its"),
        make_wheel(index, "both"),
        make_wheel(index, "python-dateutil", "2.0", requires=["six"]),
        make_wheel(index, "six", "1.9"),
    ]


def test_the_word_runtime_stands_for_what_an_index_calls_lambdas_own_packages() -> None:
    found = excluding.excluded(["runtime"], RUNTIME)
    assert {"boto3", "botocore", "python-dateutil", "six", "urllib3"} <= found
    assert "dateutil" not in found
    assert excluding.excluded(["Foo_Bar"], RUNTIME) == {"foo-bar"}


def test_what_a_layer_is_without_is_looked_for_by_nobody() -> None:
    spec = LayerSpec(
        name="x", requires=("a",), leave_out=("b",), left_out=(LeftOut(name="c", version="1", why=Why.UNNEEDED),)
    )
    assert excluding.names(spec, RUNTIME) == {"b", "c"}


def test_a_package_and_what_only_it_needs_stay_out(wheels: list[Path]) -> None:
    assert wheels
    found = chosen(request("demo", out=("huge",)))
    assert names(found) == ["both", "demo", "python-dateutil", "six"]
    assert gone(found) == [("huge", "1.0", Why.ASKED), ("only-its", "1.0", Why.UNNEEDED)]


def test_what_the_runtime_has_stays_out_by_one_word_and_is_told_to_be_the_runtimes(wheels: list[Path]) -> None:
    assert wheels
    progress = FakeProgress()
    found = chosen(request("demo", out=("runtime",)), progress)
    assert names(found) == ["both", "demo", "huge", "only-its"]
    assert gone(found) == [("python-dateutil", "2.0", Why.RUNTIME), ("six", "1.9", Why.RUNTIME)]
    assert progress.lines == ["left out: python-dateutil 2.0, six 1.9"]


def test_a_package_that_is_asked_for_itself_can_stay_out(wheels: list[Path]) -> None:
    assert wheels
    assert names(chosen(request("both", "huge", out=("huge",)))) == ["both"]


def test_a_name_that_no_package_has_is_an_error_with_the_nearest_name(wheels: list[Path]) -> None:
    assert wheels
    with pytest.raises(LockError, match="no package of the layer is called hugh, so nothing is left out") as caught:
        chosen(request("demo", out=("hugh",)))
    assert caught.value.hint == "perhaps you meant huge"
    with pytest.raises(LockError) as caught:
        chosen(request("demo", out=("runtim",)))
    assert caught.value.hint == "perhaps you meant runtime"


def test_names_that_are_like_none_are_answered_with_all_that_there_are() -> None:
    with pytest.raises(LockError, match="no packages of the layer are called x, y") as caught:
        excluding.refuse_unknown(["x", "y", "runtime"], {"demo", "both"})
    assert caught.value.hint == "the packages are both, demo"


def test_where_nothing_of_the_runtimes_would_be_in_a_layer_that_is_said(wheels: list[Path]) -> None:
    assert wheels
    progress = FakeProgress()
    assert names(chosen(request("both", out=("runtime",)), progress)) == ["both"]
    assert progress.lines == ["nothing is left out: none of what Lambda's own Python has would be in the layer"]


def test_leaving_out_everything_is_an_error(wheels: list[Path]) -> None:
    assert wheels
    with pytest.raises(LockError, match="everything is left out") as caught:
        chosen(request("python-dateutil", out=("runtime",)))
    assert caught.value.details == ("python-dateutil, six",)
    with pytest.raises(LockError, match="everything is left out"):
        locking.universal(request("python-dateutil", out=("runtime",)), "3.12", stock())


def test_what_cannot_be_had_can_be_left_out_and_its_version_is_not_known(index: Path) -> None:
    make_wheel(index, requires=["nowhere"])
    found = chosen(request("demo", out=("nowhere",)))
    assert names(found) == ["demo"]
    assert gone(found) == [("nowhere", "", Why.ASKED)]


def test_where_nothing_can_be_told_the_runtimes_packages_are_the_runtimes() -> None:
    found = excluding.unresolved(["runtime", "other"], RUNTIME)
    assert {one.name: one.why for one in found}["six"] is Why.RUNTIME
    assert {one.name: one.why for one in found}["other"] is Why.ASKED


def test_a_given_lock_is_filtered_and_keeps_its_versions_and_hashes(wheels: list[Path], tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", version="2.0", requires=["huge"])
    text = tmp_path / "given.lock"
    text.write_text(lock_of(*wheels))
    whole = chosen(request("demo", lock=text))
    found = chosen(request("demo", lock=text, out=("huge",)))
    assert found.pins == tuple(one for one in whole.pins if one.name not in {"huge", "only-its"})
    assert gone(found) == [("huge", "1.0", Why.ASKED), ("only-its", "1.0", Why.UNNEEDED)]


def test_what_nothing_requires_stays_in_a_given_lock(wheels: list[Path], tmp_path: Path) -> None:
    text = tmp_path / "given.lock"
    extra = make_wheel(tmp_path / "index", "extra")
    text.write_text(lock_of(*wheels, extra))
    assert "extra" in names(chosen(request("demo", lock=text, out=("huge",))))


def test_a_given_lock_is_filtered_where_what_is_left_out_is_nowhere(wheels: list[Path], tmp_path: Path) -> None:
    text = tmp_path / "given.lock"
    text.write_text(lock_of(*wheels))
    for wheel in wheels[1:3]:
        wheel.unlink()
    found = chosen(request("demo", lock=text, out=("huge",)))
    assert names(found) == ["both", "demo", "python-dateutil", "six"]


def test_a_name_that_a_given_lock_does_not_have_is_an_error(wheels: list[Path], tmp_path: Path) -> None:
    text = tmp_path / "given.lock"
    text.write_text(lock_of(*wheels))
    with pytest.raises(LockError, match="called larger"):
        chosen(request("demo", lock=text, out=("larger",)))


def test_a_lock_that_was_written_without_a_package_says_so_and_is_not_stale(wheels: list[Path], tmp_path: Path) -> None:
    assert wheels
    asked = request("demo", "huge", out=("huge", "runtime"))
    text = locking.universal(asked, "3.12", stock())
    head = text.splitlines()[:5]
    assert head[0].endswith("Renew with: layerforge lock demo huge --leave-out huge --leave-out runtime")
    assert head[1:] == [
        "# Left out: huge 1.0 (asked)",
        "# Left out: only-its 1.0 (only needed by it)",
        "# Left out: python-dateutil 2.0 (runtime)",
        "# Left out: six 1.9 (runtime)",
    ]
    (tmp_path / "mine.lock").write_text(text)
    for out in ((), ("huge",), ("only-its", "runtime")):
        found = chosen(request("demo", "huge", lock=tmp_path / "mine.lock", out=out))
        assert names(found) == ["both", "demo"]
        assert [one.name for one in found.left_out] == ["huge", "only-its", "python-dateutil", "six"]
    found = chosen(request("demo", "huge", lock=tmp_path / "mine.lock", out=("both",)))
    assert names(found) == ["demo"]
    assert ("both", "1.0", Why.ASKED) in gone(found)


def test_a_lock_that_is_stale_is_renewed_without_the_same_packages(wheels: list[Path], tmp_path: Path) -> None:
    assert wheels
    file = tmp_path / "mine.lock"
    file.write_text(locking.universal(request("demo", out=("huge", "runtime")), "3.12", stock()))
    with pytest.raises(LockError, match="stale") as caught:
        chosen(request("demo", "new", lock=file, out=("runtime",)))
    options = "--leave-out huge --leave-out runtime"
    assert caught.value.hint == f"renew it with `layerforge lock demo new {options} -o {file}`"
    with pytest.raises(LockError, match="newer") as caught:
        locking.locked(request("demo", lock=file), target("3.10"), stock())
    assert options in caught.value.hint


def test_the_needs_of_a_wheel_on_disk_are_left_out_too(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "huge")
    make_wheel(index, "both")
    wheel = make_wheel(tmp_path / "wheels", requires=["huge", "both"])
    whole = chosen(request(str(wheel)))
    found = chosen(request(str(wheel), out=("huge",)))
    assert found.pins == tuple(one for one in whole.pins if one.name != "huge")
    assert gone(found) == [("huge", "1.0", Why.ASKED)]


def test_a_lock_of_others_without_a_package_is_not_stale_where_that_is_left_out(
    wheels: list[Path], tmp_path: Path
) -> None:
    text = tmp_path / "given.lock"
    text.write_text(lock_of(*(wheels[0], wheels[3], *wheels[4:])))
    with pytest.raises(LockError, match="stale"):
        chosen(request("demo", "huge", lock=text))
    found = chosen(request("demo", "huge", lock=text, out=("huge",)))
    assert names(found) == ["both", "demo", "python-dateutil", "six"]
    assert gone(found) == [("huge", "", Why.ASKED)]
    with pytest.raises(LockError, match="called hugh"):
        chosen(request("demo", "huge", lock=text, out=("huge", "hugh")))


def test_what_a_recipe_leaves_out_itself_counts_and_need_not_be_known(wheels: list[Path]) -> None:
    assert wheels
    asked = request("demo")
    spec = LayerSpec(name="demo", requires=("demo",), leave_out=("huge", "of-another-version"))
    found = chosen(Request(spec=spec, text=asked.text, given=("demo",)))
    assert names(found) == ["both", "demo", "python-dateutil", "six"]


def test_layers_that_are_one_leave_out_what_each_of_them_does() -> None:
    first = Request(spec=LayerSpec(name="a", requires=("a",), leave_out=("x",)), text="a")
    second = Request(spec=LayerSpec(name="b", requires=("b",), leave_out=("y", "x")), text="b")
    assert merged([first, second]).spec.leave_out == ("x", "y")


def test_a_recipes_name_beside_others_brings_what_its_layer_leaves_out(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    text = (
        'schema = 2\n[package]\nname = "mine"\nversions = ">=1"\n[layer]\nrequires = ["mine"]\nleave-out = ["huge"]\n'
    )
    (folder / "recipe.toml").write_text(text)
    known = catalogue(tmp_path)
    [found] = targets.requests(["mine", "other"], None, known)
    assert found.spec.leave_out == ("huge",)


def test_what_stays_out_cannot_be_compiled() -> None:
    excluding.refuse_compiled(["a"], {"b"})
    with pytest.raises(UsageError, match="a-b cannot be left out and compiled"):
        excluding.refuse_compiled(["a_b"], {"a-b"})


def test_wheels_have_the_sizes_that_the_index_says_and_none_where_it_says_nothing(index: Path) -> None:
    make_wheel(index)
    assert excluding.wheel_sizes([pin("demo"), pin("demo", "9.0")], target(), ()) == {}
    assert excluding.wheel_sizes([pin("demo", "")], target(), ()) == {}
    assert excluding.wheel_sizes([pin("demo")], "3.12", ()) == {}


def test_the_reason_that_counts_is_that_the_runtime_has_it() -> None:
    pins = [pin("six", "1.9"), pin("huge"), pin("only-its"), pin("stays")]
    found = excluding.left_out(["six", "huge"], RUNTIME, pins, {"stays"}, {"huge": 5})
    assert [(one.name, one.why, one.bytes) for one in found] == [
        ("huge", Why.ASKED, 5),
        ("only-its", Why.UNNEEDED, None),
        ("six", Why.RUNTIME, None),
    ]


def test_the_size_of_a_package_is_that_of_its_largest_wheel_where_a_size_is_said() -> None:
    pylock = """
[[packages]]
name = "Big_One"
wheels = [{ url = "https://there/a.whl", size = 5 }, { url = "https://there/b.whl", size = 7 }]
[[packages]]
name = "silent"
wheels = [{ path = "c.whl" }]
[[packages]]
name = "source-only"
"""
    assert uv.sizes_in(tomllib.loads(pylock)["packages"]) == {"big-one": 7}


def test_a_recipe_that_needs_what_was_left_out_says_so(tmp_path: Path) -> None:
    for name, needs in (("base", ""), ("top", 'needs = ["base"]\n')):
        (tmp_path / name).mkdir()
        text = f'schema = 2\n[package]\nname = "{name}"\nversions = ">=1"\nbuild = "source"\n{needs}'
        (tmp_path / name / "recipe.toml").write_text(text)
    out = (LeftOut(name="base", version="1.0", why=Why.ASKED),)
    for left, words, way in (
        (out, "which is left out of the layer", "let base in, without --leave-out, or take wheels with --wheels"),
        ((), "which is not in the layer", "name base as a requirement too, or take wheels with --wheels"),
    ):
        spec = LayerSpec(name="top", requires=("top",), left_out=left)
        with pytest.raises(RecipeError, match=words) as caught:
            compose(spec, [pin("top")], catalogue(tmp_path), target(), compiling=True, image=True)
        assert caught.value.hint == way
