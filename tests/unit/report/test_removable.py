from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import zips
from fakes import a_manifest
from layerforge.core import globs
from layerforge.core.paths import below_site
from layerforge.core.runtimes import target
from layerforge.examine.examination import Kind, Member
from layerforge.examine.examine import examine
from layerforge.layer.passes.setting import LeftAlone
from layerforge.report.advice.advise import Advice, advise, notes
from layerforge.report.advice.evidence import LayerEvidence
from layerforge.report.advice.removable import groups, removable
from layerforge.report.manifest import Manifest
from wheels import record_row

BIG = 300_000


def evidence(tmp_path: Path, files: dict[str, bytes], manifest: Manifest | None = None) -> LayerEvidence:
    """What is known of a layer of packages that are called as their folders."""
    for name in {path.partition("/")[0] for path in files}:
        rows = "".join(record_row(path, data) for path, data in files.items() if path.startswith(f"{name}/"))
        files |= {
            f"{name}-1.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n".encode(),
            f"{name}-1.dist-info/RECORD": rows.encode(),
        }
    layer = zips.of(tmp_path / "layer.zip", {f"python/{path}": data for path, data in files.items()})
    seen = examine(layer, target("3.13", "x86_64"))
    return LayerEvidence(
        target=target("3.13", "x86_64"),
        examination=seen,
        read=lambda path: files[path.removeprefix("python/")],
        manifest=manifest,
    )


def told(known: LayerEvidence) -> list[Advice]:
    return list(advise(known, (removable,)))


def test_data_of_tests_is_told_with_its_bytes_and_the_line_of_a_recipe(tmp_path: Path) -> None:
    files = {"pkg/__init__.py": b"", "pkg/io/__init__.py": b"", "pkg/io/tests/data/a.npz": b"1" * BIG}
    [one] = told(evidence(tmp_path, files))
    assert (one.kind, one.bytes, one.files) == ("recipe-could-remove", BIG, 1)
    assert "most of it in pkg/io/tests/** (300.0 kB, in a folder of tests)" in one.message
    assert one.how.endswith('a recipe of pkg may say `remove = ["pkg/io/tests/**"]`')


def test_headers_that_code_names_are_told_by_their_ending_where_code_is_beside_them(tmp_path: Path) -> None:
    files = {"pkg/__init__.py": b"glob('*.h')", "pkg/_c.abi3.so": b"", "pkg/a.h": b"1" * BIG, "pkg/b.h": b"2"}
    [one] = told(evidence(tmp_path, files))
    assert one.how.endswith('`remove = ["pkg/**/*.h"]`')
    assert "named by python/pkg/__init__.py" in one.message


def test_of_a_layer_of_our_own_its_manifest_says_what_was_left(tmp_path: Path) -> None:
    files = {"pkg/__init__.py": b"", "pkg/x/a.bin": b"1" * BIG, "pkg/y/b.bin": b"2" * BIG}
    left = (
        LeftAlone(path="python/pkg/x/a.bin", reason="in a folder of x", bytes=BIG, removable=True),
        LeftAlone(path="python/pkg/y/b.bin", reason="damaged", bytes=BIG),
    )
    [one] = told(evidence(tmp_path, files, a_manifest(left=left)))
    assert '"pkg/x/**"' in one.how
    assert "pkg/y" not in one.how


def test_compiled_modules_count_with_their_sources(tmp_path: Path) -> None:
    compiled = "pkg/examples/__pycache__/a.cpython-313.pyc"
    files = {"pkg/__init__.py": b"", "pkg/examples/a.py": b"#" * BIG, compiled: b"c" * BIG}
    left = (LeftAlone(path="python/pkg/examples/a.py", reason="in a folder of examples", removable=True),)
    [one] = told(evidence(tmp_path, files, a_manifest(left=left)))
    assert (one.bytes, one.files) == (2 * BIG, 2)
    assert '"pkg/examples/**"' in one.how


def test_a_build_tells_the_largest_and_how_much_there_is_besides(tmp_path: Path) -> None:
    files = {f"{name}/docs/a.html": b"1" * size for name, size in (("one", BIG), ("two", 3 * BIG), ("three", BIG))}
    files |= {f"{name}/__init__.py": b"" for name in ("one", "two", "three")}
    left = tuple(
        LeftAlone(path=f"python/{path}", reason="in a folder of documents", removable=True)
        for path in files
        if "docs" in path
    )
    first, second = notes(evidence(tmp_path, files, a_manifest(left=left)), ours=True)
    assert "two has what no rule may drop" in first
    assert second.startswith("2 packages more could lose 600.0 kB by recipes")


def test_little_is_not_worth_a_line(tmp_path: Path) -> None:
    assert not told(evidence(tmp_path, {"pkg/__init__.py": b"", "pkg/docs/a.html": b"1" * 1000}))


PATHS = st.sets(
    st.lists(st.sampled_from(["a", "b", "tests"]), min_size=1, max_size=3).flatmap(
        lambda folders: st.sampled_from(["x.h", "y.h", "z.bin", "none"]).map(
            lambda name: "/".join(["pkg", *folders, name])
        )
    ),
    max_size=12,
)


def a_member(path: str) -> Member:
    return Member(path=f"python/{path}", mode=0, size=len(path), zipped=1, kind=Kind.DATA, package="pkg", sha256="")


@given(PATHS, PATHS)
def test_globs_remove_what_could_go_and_nothing_else(could: set[str], others: set[str]) -> None:
    rest = others - could
    made = groups([a_member(path) for path in sorted(could)], rest)
    patterns = [group.glob for group in made]
    assert {path for path in could | rest if globs.matches(path, patterns)} == could
    assert sorted(below_site(one.path) for group in made for one in group.files) == sorted(could)
    assert [group.size for group in made] == sorted((group.size for group in made), reverse=True)
