from __future__ import annotations

from dataclasses import replace

from fakes import FakeProgress, FakeStore, a_file, a_tree, target
from layerforge.build.plan import Plan, plan
from layerforge.core.errors import VerificationError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.layer.archive import archive
from layerforge.layer.fit_search import Fitted, Try
from layerforge.layer.misfit import refusal
from layerforge.layer.tree import Entry, File, Package, Tree, blob
from layerforge.resolve.fit import Fit
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Compression

SIZES = {"demo": 300_000, "other": 200_000, "nvidia-nccl": 100_000, "boto3": 150_000}
NEEDS = {"demo": ("nvidia-nccl", "boto3")}


def a_package(name: str) -> tuple[Package, list[Entry]]:
    module, info = name.replace("-", "_"), f"python/{name.replace('-', '_')}-1.dist-info"
    lines = "".join(f"Requires-Dist: {one}\n" for one in NEEDS.get(name, ()))
    # Bytes that do not compress, so that the zip has their size too.
    data = b"".join(hash_of(name, number) for number in range(SIZES[name] // 32))
    return Package(name=name, version="1", info=info), [
        File(path=f"{info}/METADATA", blob=blob(f"Name: {name}\nVersion: 1\n{lines}".encode()), package=name),
        File(path=f"python/{module}/data.bin", blob=blob(data), package=name),
    ]


def hash_of(name: str, number: int) -> bytes:
    return bytes.fromhex(blob(f"{name} {number}".encode()).sha256)


def a_layer(*names: str) -> tuple[Tree, Plan]:
    found = [a_package(name) for name in names]
    requires = tuple(name for name in names if name in {"demo", "other"})
    spec = LayerSpec(name="demo", requires=requires)
    tree = a_tree(*(entry for _, entries in found for entry in entries), packages=[one for one, _ in found])
    return tree, plan(spec, target(), (), Compression.FAST, None, 0)


def refused(limit: int, *names: str, refused: str = "") -> VerificationError:
    tree, made = a_layer(*names)
    data = archive(tree, Compression.FAST, 0, FakeStore(), FakeProgress()).data
    one = Try(ways=(), unzipped=tree.size, zipped=len(data), fits=False)
    fitted = Fitted(fit=Fit(zipped=limit), required=True, tries=(one,), taken=(), refused=refused)
    return refusal(fitted, made, tree, data)


def test_what_is_of_no_use_goes_first_and_is_no_layer_of_its_own() -> None:
    error = refused(550_000, "demo", "other", "nvidia-nccl")
    assert error.hint.startswith("add `--leave-out nvidia-nccl` to the command; or allow more with `--fit 0.7MB`")
    assert error.details[0].startswith("`--leave-out nvidia-nccl` takes 100.")
    assert error.details[0].endswith(" kB of the zip away: demo asks for it, and Lambda has no graphics processor")


def test_as_little_as_will_do_of_what_is_asked_for_goes() -> None:
    assert (
        "`--leave-out other` to the command, and make other a layer of its own"
        in refused(310_000, "demo", "other").hint
    )
    assert (
        "`--leave-out demo` to the command, and make demo a layer of its own" in refused(210_000, "demo", "other").hint
    )
    assert refused(100, "demo", "other").hint == "allow more with `--fit 0.6MB`"
    assert refused(100, "demo").hint == "allow more with `--fit 0.4MB`"


def test_what_versions_are_asked_of_is_named_and_not_proposed() -> None:
    kept = refused(520_000, "demo", "other", "boto3", refused="boto3==1 is asked for")
    assert any(one.startswith("`--leave-out runtime` takes ") for one in kept.details)
    assert "--leave-out runtime" not in kept.hint
    assert "`--leave-out runtime`" in refused(520_000, "demo", "other", "boto3").hint


def test_unzipped_bytes_count_where_it_is_too_large_unzipped() -> None:
    tree, made = a_layer("demo", "other")
    one = Try(ways=(), unzipped=tree.size, fits=False)
    room = LAMBDA_UNZIPPED_LIMIT - 400_000
    error = refusal(Fitted(fit=Fit(room=room), required=True, tries=(one,), taken=()), made, tree, None)
    assert "does not fit 400.0 kB unzipped, beside 261.7 MB of the function's own" in error.message
    assert "100.1 kB too much" in error.message
    assert "leave the function less with `--fit room=261.6MB`" in error.hint
    larger = replace(tree, entries=(*tree.entries, a_file("python/zeros.bin", bytes(LAMBDA_UNZIPPED_LIMIT))))
    error = refusal(Fitted(fit=Fit(zipped=9), required=True, tries=(one,), taken=()), made, larger, None)
    assert "does not fit Lambda, 262.1 MB unzipped" in error.message
    assert error.hint.endswith("split it over two functions")
