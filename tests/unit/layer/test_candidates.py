from __future__ import annotations

from collections.abc import Sequence

import pytest

from fakes import a_tree, target
from layerforge.build.plan import Plan, plan
from layerforge.core.errors import VerificationError
from layerforge.layer.candidates import Candidate, candidates, check_limit, enough, told
from layerforge.layer.tree import Blob, Entry, File, Package, Tree, blob
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Compression

BIG = 100_000_000


def a_package(name: str, size: int, needs: Sequence[str] = (), code: bytes = b"") -> tuple[Package, list[Entry]]:
    """A package of one module with ``code``, beside a file of ``size`` bytes that nobody reads."""
    module, info = name.replace("-", "_"), f"python/{name.replace('-', '_')}-1.0.dist-info"
    lines = "".join(f"Requires-Dist: {one}\n" for one in needs)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{lines}".encode()
    data = Blob(sha256="0" * 64, size=size, source=b"")
    return Package(name=name, version="1.0", info=info), [
        File(path=f"{info}/METADATA", blob=blob(text), package=name),
        File(path=f"python/{module}/__init__.py", blob=blob(code), package=name),
        File(path=f"python/{module}/data.bin", blob=data, package=name),
    ]


def layer(*packages: tuple[Package, list[Entry]]) -> Tree:
    return a_tree(*(entry for _, entries in packages for entry in entries), packages=[one for one, _ in packages])


def a_plan(*requires: str) -> Plan:
    spec = LayerSpec(name="demo", requires=requires or ("demo",))
    return plan(spec, target(), (), Compression.FAST, None, 0)


def found(tree: Tree, *requires: str) -> list[Candidate]:
    return candidates(tree, a_plan(*requires))


def test_libraries_for_graphics_processors_could_go_though_code_names_them() -> None:
    tree = layer(
        a_package("demo", 5, ["nvidia-nccl-cu12"], b"import nvidia_nccl_cu12\n"), a_package("nvidia-nccl-cu12", BIG)
    )
    [one] = found(tree)
    assert one.words == ("nvidia-nccl-cu12",)
    assert one.bytes > BIG
    assert one.why == "demo asks for it, and Lambda has no graphics processor"


def test_what_only_it_needs_counts_and_what_another_needs_does_not() -> None:
    tree = layer(
        a_package("demo", 5, ["nvidia-a", "shared"]),
        a_package("nvidia-a", BIG, ["only-its", "shared"]),
        a_package("only-its", BIG),
        a_package("shared", BIG, code=b"import only_its"),
    )
    [one, *_] = found(tree)
    assert one.words == ("nvidia-a",)
    assert 2 * BIG < one.bytes < 3 * BIG


def test_what_lambda_has_itself_goes_by_one_word() -> None:
    tree = layer(
        a_package("demo", 5, ["boto3"], b"import boto3"),
        a_package("boto3", BIG, ["botocore"]),
        a_package("botocore", BIG),
    )
    [one] = found(tree)
    assert (one.words, one.why) == (("runtime",), "Lambda's own Python has them")
    assert one.bytes > 2 * BIG


def test_a_large_package_that_no_other_one_names_could_go() -> None:
    tree = layer(
        a_package("demo", 5, ["program", "used"], b"import used\n"),
        a_package("also", 5, ["program"]),
        a_package("program", BIG),
        a_package("used", BIG),
    )
    [one] = found(tree, "demo", "also")
    assert one.words == ("program",)
    assert one.why == "also, demo ask for it, and no code of another package names it"


def test_what_is_asked_for_itself_or_small_is_no_candidate() -> None:
    tree = layer(a_package("demo", BIG), a_package("tiny", 10), a_package("nvidia-tiny", 10))
    assert found(tree) == []


def test_the_largest_come_first_and_three_are_told() -> None:
    names = [f"nvidia-{letter}" for letter in "abcd"]
    tree = layer(a_package("demo", 5), *(a_package(name, BIG + n) for n, name in enumerate(names)))
    every = found(tree)
    assert [one.words[0] for one in every] == names[::-1]
    lines = told(every)
    assert len(lines) == 3
    assert lines[0] == (
        "`--leave-out nvidia-d` takes 100.0 MB away: nothing else asks for it, and Lambda has no graphics processor"
    )


def test_as_many_are_named_as_are_enough() -> None:
    some = [Candidate((name,), BIG, "") for name in ("a", "b", "c")]
    assert enough(some, BIG) == "--leave-out a"
    assert enough(some, BIG + 1) == "--leave-out a --leave-out b"
    assert enough(some, 4 * BIG) == ""


def test_a_layer_above_the_limit_says_with_what_it_would_fit() -> None:
    tree = layer(a_package("demo", BIG), a_package("nvidia-a", 2 * BIG))
    with pytest.raises(VerificationError) as caught:
        check_limit(tree, a_plan())
    assert caught.value.hint.startswith("add `--leave-out nvidia-a` to the command; else leave a package out, ")
    assert caught.value.details[-1].startswith("`--leave-out nvidia-a` takes 200.0 MB away: ")


def test_a_layer_that_cannot_be_helped_has_the_hint_that_it_had() -> None:
    tree = layer(a_package("demo", 3 * BIG))
    with pytest.raises(VerificationError) as caught:
        check_limit(tree, a_plan())
    assert caught.value.hint.startswith("leave a package out, ")
    check_limit(layer(a_package("demo", BIG)), a_plan())
