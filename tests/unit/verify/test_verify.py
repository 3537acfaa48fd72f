from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

import zips
from fakes import FakeEngine, target
from layerforge.build.engine import Outcome
from layerforge.core.findings import Finding, Severity
from layerforge.core.runtimes import Arch
from layerforge.examine.examination import Examination, Kind, Member
from layerforge.examine.examine import examine
from layerforge.layer.distributions import Distribution, RecordRow
from layerforge.layer.pyc import PycFacts, PycState
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Budget, BytecodeMode, Check, CheckScript
from layerforge.verify import rules_table
from layerforge.verify.imports import Imports, imports_of, top_level_imports
from layerforge.verify.notes import notes
from layerforge.verify.rules import RULES, judge
from layerforge.verify.rules_table import RULES_TABLE, Expect
from layerforge.verify.run_check import Checked, check_program, init_program, nothing_proved, run_check
from layerforge.verify.unions import same_paths
from layerforge.verify.verdict import Figures
from zips import Put, a_member, an_elf, an_examination, link

DOC = Path(__file__).parents[3] / "docs" / "rules.md"


def expect(
    python: str = "3.13",
    arch: Arch = Arch.X86_64,
    *,
    bytecode: BytecodeMode | None = None,
    single: tuple[str, ...] = (),
    budget: Budget | None = None,
) -> Expect:
    spec = LayerSpec(name="pkg", requires=("pkg",), check=Check(single=single), budget=budget or Budget())
    return Expect(target=target(python, arch), spec=spec, bytecode=bytecode)


def found(rule: str, examination: Examination, held: Expect | None = None) -> list[Finding]:
    return [one for one in judge(examination, held or expect()) if one.rule == rule]


def alone(rule: str, examination: Examination, held: Expect | None = None) -> Finding:
    (one,) = found(rule, examination, held)
    return one


def rules(findings: Iterable[Finding]) -> list[str]:
    return [finding.rule for finding in findings]


# --- as a whole ------------------------------------------------------------------------------------------------------


def test_a_sound_layer_has_no_findings(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "a.zip", zips.sound())
    held = expect("3.11", bytecode=BytecodeMode.BESIDE)
    assert judge(examine(path, held.target), held) == ()


def test_a_sound_layer_made_for_one_python_is_not_sound_for_another(tmp_path: Path) -> None:
    examination = examine(zips.of(tmp_path / "a.zip", zips.sound()), target("3.12"))
    assert rules(judge(examination, expect("3.12"))) == ["LF201", "LF203"]


def test_errors_come_first_and_then_rule_and_path() -> None:
    members = [
        an_elf("lib/b.so", aligned=False),
        an_elf("lib/a.so", aligned=False),
        an_elf("lib/c.so", runpath=("elsewhere",)),
        an_elf("lib/d.so", machine="arm64"),
    ]
    order = [(one.rule, one.path) for one in judge(an_examination(*members), expect())]
    assert order == [("LF102", "lib/d.so"), ("LF106", "lib/a.so"), ("LF106", "lib/b.so"), ("LF104", "lib/c.so")]


def test_the_table_and_the_document_agree() -> None:
    text = DOC.read_text("utf-8")
    sections = re.findall(r"^## (LF\d{3} · .+)\n\n\*(.+)\*$", text, re.MULTILINE)
    assert sections == [(f"{rule.id} · {rule.title}", " or ".join(sorted(rule.severities))) for rule in RULES_TABLE]
    assert len({rule.id for rule in RULES_TABLE}) == len(RULES_TABLE) == text.count("\n## ")


def test_every_rule_that_the_source_names_stands_in_the_table() -> None:
    source = Path(rules_table.__file__).parents[1]
    named = {
        rule: file.name
        for file in source.rglob("*.py")
        if file.name != "rules_table.py"
        for rule in re.findall(r"""["'](LF\d{3})["']""", file.read_text("utf-8"))
    }
    assert len(named) > 20
    assert {rule: file for rule, file in named.items() if rule not in {row.id for row in RULES_TABLE}} == {}


def test_every_section_of_the_document_says_what_why_and_how() -> None:
    for section in re.split(r"^## (?=LF)", DOC.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        section = section.partition("\n# ")[0]
        assert [word for word in ("**What.**", "**Why.**", "**Mend.**") if word not in section] == [], section[:40]


def test_every_rule_of_the_table_has_a_function_that_names_it() -> None:
    documented = {doc[:5] for rule in (*RULES, same_paths) if (doc := rule.__doc__)}
    assert documented == {rule.id for rule in RULES_TABLE if rule.id < "LF400"}


# --- native code -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("python", "name", "bad"),
    [
        ("3.13", "GLIBC_2.34", False),
        ("3.13", "GLIBC_2.35", True),
        ("3.13", "GLIBC_2.4", False),
        ("3.11", "GLIBC_2.28", True),
        ("3.13", "GLIBCXX_3.4.30", True),
        ("3.13", "CXXABI_1.3.13", False),
        ("3.13", "CXXABI_1.3.15", True),
        ("3.13", "CXXABI_FLOAT128", False),
        ("3.13", "GCC_14.0", True),
        ("3.13", "GLIBC_PRIVATE", False),
        ("3.13", "GLIBC_ABI_DT_RELR", True),
        ("3.13", "OPENSSL_3.9.0", False),
    ],
)
def test_a_symbol_version_above_the_runtime_s_is_named(python: str, name: str, bad: bool) -> None:
    member = an_elf("lib/a.so", versions={"libc.so.6": ("GLIBC_2.2.5", name)})
    messages = [one.message for one in found("LF101", an_examination(member), expect(python))]
    assert bool(messages) is bad
    assert all(f"needs {name} of libc.so.6" in message for message in messages)


@pytest.mark.parametrize(("glibc", "bad"), [((2, 35), True), ((2, 36), False), ((2, 37), False)])
def test_marks_are_defined_from_glibc_2_36_on(glibc: tuple[int, int], bad: bool) -> None:
    member = an_elf("lib/a.so", versions={"libc.so.6": ("GLIBC_ABI_DT_RELR",)})
    held = expect()
    held = replace(held, target=replace(held.target, runtime=replace(held.target.runtime, glibc=glibc)))
    assert bool(found("LF101", an_examination(member), held)) is bad


def test_symbol_versions_of_a_library_that_the_layer_brings_are_its_own_business() -> None:
    user = an_elf("python/a.so", needed=("libstdc++.so.6",), versions={"libstdc++.so.6": ("GLIBCXX_3.4.33",)})
    assert found("LF101", an_examination(user))
    assert not found("LF101", an_examination(user, an_elf("lib/libstdc++.so.6")))


def test_native_code_for_another_processor_is_found_and_not_judged_further() -> None:
    member = an_elf("lib/a.so", machine="arm64", needed=("libnone.so",), versions={"libc.so.6": ("GLIBC_2.99",)})
    (one,) = judge(an_examination(member), expect())
    assert (one.rule, one.message) == ("LF102", "is for arm64, not for x86_64")
    assert found("LF102", an_examination(member), expect(arch=Arch.ARM64)) == []


def test_native_code_of_32_bits_is_for_another_machine() -> None:
    assert "(32 bits)" in alone("LF102", an_examination(an_elf("lib/a.so", machine="i386", bits=32))).message


def test_code_of_32_bits_for_the_same_processor_is_found_and_not_judged_further() -> None:
    member = an_elf("lib/a.so", bits=32, needed=("libnone.so",), versions={"libc.so.6": ("GLIBC_2.99",)})
    (one,) = judge(an_examination(member), expect())
    assert (one.rule, one.message) == ("LF102", "is for x86_64 (32 bits), not for x86_64")


@pytest.mark.parametrize(("kind", "system"), [("Mach-O", "macOS"), ("PE", "Windows")])
def test_native_code_of_another_system_is_found(kind: str, system: str) -> None:
    member = a_member("python/_a.cpython-312-darwin.so", foreign=kind, kind=Kind.NATIVE)
    (one,) = judge(an_examination(member), expect())
    assert (one.rule, system in one.message) == ("LF102", True)


def test_a_library_that_nothing_brings_is_missing() -> None:
    one = alone("LF103", an_examination(an_elf("python/l/l.so", needed=("libc.so.6", "libgomp.so.1"))))
    assert (one.path, one.message) == ("python/l/l.so", "needs libgomp.so.1, which is not in the layer or the runtime")


def test_the_hint_of_a_missing_library_tells_how_a_recipe_ships_one() -> None:
    hint = alone("LF103", an_examination(an_elf("python/l/l.so", needed=("libgomp.so.1",)))).hint
    assert "container engine" in hint
    assert "`system = " in hint
    assert "`system = " in DOC.read_text("utf-8").partition("## LF103")[2].partition("## LF104")[0]


def test_a_library_that_lies_where_the_loader_does_not_look_is_missing_and_its_place_is_named() -> None:
    members = (an_elf("python/l/l.so", needed=("liba.so",)), an_elf("python/elsewhere/liba.so"))
    assert "there is one at python/elsewhere/liba.so" in alone("LF103", an_examination(*members)).message


@pytest.mark.parametrize(
    ("user", "runpath", "library"),
    [
        ("python/p/_a.so", (), "lib/liba.so"),
        ("python/p/_a.so", ("$ORIGIN",), "python/p/liba.so"),
        ("python/p/q/_a.so", ("/x", "${ORIGIN}/../../p.libs"), "python/p.libs/liba.so"),
        ("python/p/_a.so", ("/opt/share",), "share/liba.so"),
        ("python/p.libs/libb.so", (), "python/p.libs/liba.so"),
    ],
)
def test_a_library_is_found_where_the_loader_looks(user: str, runpath: tuple[str, ...], library: str) -> None:
    needing = an_elf(user, needed=("liba.so",), runpath=runpath)
    assert found("LF103", an_examination(needing, an_elf(library))) == []
    assert found("LF103", an_examination(needing))


def test_a_library_is_found_through_links() -> None:
    members = (
        an_elf("python/p/_a.so", needed=("liba.so.1",)),
        a_member("lib/liba.so.1", link="liba.so"),
        a_member("lib/liba.so", link="/opt/share/real.so"),
        an_elf("share/real.so"),
    )
    assert found("LF103", an_examination(*members)) == []


def test_an_origin_that_is_part_of_a_longer_word_is_none() -> None:
    members = (an_elf("python/p/_a.so", needed=("liba.so",), runpath=("$ORIGINAL",)), an_elf("python/p/liba.so"))
    assert found("LF103", an_examination(*members))


def test_real_libraries_find_each_other_as_the_loader_would(tmp_path: Path) -> None:
    base = zips.library(tmp_path / "python/p.libs/libbase.so", soname="libbase.so")
    user = zips.library(tmp_path / "python/p/_a.so", needs=[base], rpath="$ORIGIN/../p.libs")
    files = {place.relative_to(tmp_path).as_posix(): place.read_bytes() for place in (base, user)}
    held = expect()
    assert not found("LF103", examine(zips.of(tmp_path / "a.zip", files), held.target), held)
    del files["python/p.libs/libbase.so"]
    assert found("LF103", examine(zips.of(tmp_path / "b.zip", files), held.target), held)


@pytest.mark.parametrize(
    ("entries", "outside"),
    [
        (("$ORIGIN",), False),
        (("$ORIGIN/../..",), False),
        (("$ORIGIN/../../..",), True),
        (("/opt/lib",), False),
        (("/optional",), True),
        (("/home/me/lib",), True),
        (("/usr/lib/llvm-16/lib",), False),
        (("/prefix/openblas/lib",), False),
        (("/library",), True),
        (("lib",), True),
        (("/usr/local/lib64", "$ORIGIN/../p.libs"), False),
        (("lib", "$ORIGIN/../p.libs"), True),
    ],
)
def test_a_search_path_outside_the_layer_is_found(entries: tuple[str, ...], outside: bool) -> None:
    member = an_elf("python/p/_a.so", runpath=entries, needed=("liba.so",))
    assert bool(found("LF104", an_examination(member, an_elf("lib/liba.so")))) is outside


def test_a_search_path_that_serves_nothing_is_harmless() -> None:
    member = an_elf("python/p/_a.so", runpath=("/usr/local/lib64",), needed=("libc.so.6",))
    assert found("LF104", an_examination(member)) == []


@pytest.mark.parametrize("runpath", [(), ("$ORIGIN/../../lib",), ("$ORIGIN/../../lib", "/home/me/build/lib")])
def test_what_needs_the_layers_own_libraries_and_has_a_good_search_path_or_none_is_fine(
    runpath: tuple[str, ...],
) -> None:
    member = an_elf("python/p/_a.so", runpath=runpath, needed=("liba.so",))
    assert found("LF104", an_examination(member, an_elf("lib/liba.so"))) == []


def test_a_library_that_the_recipe_wants_once_may_have_links_but_no_copy() -> None:
    linked = an_examination(an_elf("lib/libx.so.0", b"1" * 5000), a_member("lib/libx.so", link="libx.so.0"))
    copied = an_examination(an_elf("lib/libx.so.0", b"1" * 5000), an_elf("python/p/libx-23.so", b"2" * 5000))
    held = expect(single=("libx*",))
    assert found("LF105", linked, held) == []
    assert alone("LF105", copied, held).severity is Severity.ERROR


def test_only_libraries_that_match_one_glob_are_copies_of_one_another() -> None:
    members = [an_elf("lib/libx.so", b"1"), an_elf("lib/liby.so.1", b"2"), an_elf("python/p/liby-9.so", b"3")]
    examination = an_examination(*members, a_member("python/p/libx.txt", b"4"))
    assert found("LF105", examination, expect(single=("libx*", "libz*"))) == []
    one = alone("LF105", examination, expect(single=("libx*", "liby*")))
    assert one.path == "python/p/liby-9.so"
    assert one.message == ("2 files match liby*, of which the recipe wants one: lib/liby.so.1, python/p/liby-9.so")


def test_a_copy_that_a_wheel_came_with_is_told_beside_the_layers_own_alone() -> None:
    own = an_elf("lib/libx.so.0", b"1", package="")
    vendored = [an_elf(f"python/{name}.libs/libx-{name}.so", package=name) for name in ("a", "b")]
    held = expect(single=("libx*",))
    one = alone("LF105", an_examination(own, *vendored), held)
    assert (one.severity, one.path) == (Severity.WARNING, "python/a.libs/libx-a.so")
    assert one.message.endswith("; the wheels of a, b came with another")
    assert found("LF105", an_examination(*vendored), held) == []


def test_a_copy_in_what_the_layer_compiled_is_as_wrong_as_one_in_its_own_folders() -> None:
    members = (an_elf("lib/libx.so.0", b"1", package=""), an_elf("python/p/libx.so", b"2", package="p"))
    held = expect(single=("libx*",))
    assert held.spec
    compiled = replace(held, spec=held.spec.compiling(["p"]))
    assert alone("LF105", an_examination(*members), held).severity is Severity.WARNING
    assert alone("LF105", an_examination(*members), compiled).severity is Severity.ERROR


@pytest.mark.parametrize(("size", "told"), [(4095, False), (4096, True)])
def test_libraries_with_the_same_bytes_are_told_from_one_page_on(size: int, told: bool) -> None:
    members = [an_elf("lib/a.so", b"1" * size), an_elf("lib/b.so", b"1" * size)]
    assert bool(found("LF105", an_examination(*members))) is told


def test_libraries_with_the_same_bytes_are_named_with_what_one_copy_would_save() -> None:
    one = alone("LF105", an_examination(an_elf("lib/a.so", b"1" * 5000), an_elf("lib/b.so", b"1" * 5000)))
    assert (one.severity, one.path) == (Severity.WARNING, "lib/a.so")
    assert one.message == "has the same bytes as lib/b.so; one copy would save 5.0 kB"


def test_small_libraries_and_other_files_may_have_copies() -> None:
    members = (an_elf("a.so", b"1"), an_elf("b.so", b"1"), a_member("c", b"2" * 5000), a_member("d", b"2" * 5000))
    assert found("LF105", an_examination(*members)) == []


def test_what_the_loader_refuses_is_an_error_with_its_own_words() -> None:
    members = (an_elf("lib/a.so", aligned=False), a_member("lib/b.so", damaged="it is cut short", kind=Kind.NATIVE))
    messages = [one.message for one in found("LF106", an_examination(*members))]
    assert "ELF load command address/offset not page-aligned" in messages[0]
    assert "it is cut short" in messages[1]


@pytest.mark.parametrize(
    ("names", "bad"),
    [
        (["_a.cpython-312-x86_64-linux-gnu.so"], True),
        (["_a.cpython-313t-x86_64-linux-gnu.so"], True),
        (["_a.pypy310-pp73-x86_64-linux-gnu.so"], True),
        (["_a.cpython-313-x86_64-linux-gnu.so"], False),
        (["_a.abi3.so"], False),
        (["_a.so"], False),
        (["libcpython-312.so.1"], False),
        (["_a.cpython-312-x86_64-linux-gnu.so", "_a.cpython-313-x86_64-linux-gnu.so"], False),
        (["_a.cpython-312-x86_64-linux-gnu.so", "_a.abi3.so"], False),
        (["_a.cpython-312-x86_64-linux-gnu.so", "_a.py"], False),
        (["_a.cpython-312-x86_64-linux-gnu.so", "_b.cpython-313-x86_64-linux-gnu.so"], True),
    ],
)
def test_an_extension_module_that_no_import_finds_is_an_error(names: list[str], bad: bool) -> None:
    examination = an_examination(*(an_elf(f"python/p/{name}", bytes([n])) for n, name in enumerate(names)))
    assert [one.path for one in found("LF107", examination)] == [f"python/p/{names[0]}"] * bad


# --- modules ---------------------------------------------------------------------------------------------------------


def a_pyc(path: str, state: PycState = PycState.VALID, filename: str = "/opt/python/x.py") -> Member:
    return a_member(path, b"code", kind=Kind.BYTECODE, pyc=PycFacts(state=state, magic=3571, filename=filename))


def cached(name: str, state: PycState = PycState.VALID, tag: str = "cpython-313") -> Member:
    return a_pyc(f"python/p/__pycache__/{name}.{tag}.pyc", state)


@pytest.mark.parametrize(
    ("mode", "severity"),
    [(None, Severity.WARNING), (BytecodeMode.BESIDE, Severity.ERROR), (BytecodeMode.ONLY, Severity.ERROR)],
)
def test_modules_without_bytecode_are_counted_in_one_finding(mode: BytecodeMode | None, severity: Severity) -> None:
    members = [a_member(f"python/p/m{number}.py", b"x = 1\n" * 100) for number in range(5)]
    one = alone("LF201", an_examination(*members, cached("m0")), expect(bytecode=mode))
    assert one.severity is severity
    assert one.message.startswith("4 of 5 modules (2.4 kB) have no bytecode: python/p/m1.py")


def test_a_layer_that_was_to_have_no_bytecode_misses_none() -> None:
    assert not found("LF201", an_examination(a_member("python/a.py", b"x")), expect(bytecode=BytecodeMode.NONE))


@pytest.mark.parametrize(
    "member",
    [
        a_member("python/p/empty.py"),
        a_member("python/p/not-a-module.py", b"x"),
        a_member("python/a-1.dist-info/setup.py", b"x"),
        a_member("bin/tool.py", b"x"),
    ],
)
def test_what_is_no_module_needs_no_bytecode(member: Member) -> None:
    assert found("LF201", an_examination(member), expect(bytecode=BytecodeMode.BESIDE)) == []


def test_a_module_that_the_build_could_not_compile_is_excused_and_no_other(tmp_path: Path) -> None:
    # Newer syntax than the target's: what this Python makes of it does not matter.
    newer = b"try:\n    pass\nexcept* OSError:\n    pass\n"
    files = {"python/p/newer.py": newer, "python/p/bare.py": b"x = 1\n"}
    held = expect("3.10", bytecode=BytecodeMode.BESIDE)
    examination = examine(zips.of(tmp_path / "a.zip", files), held.target)
    assert alone("LF201", examination, held).message.startswith("2 of 2 modules")
    held = replace(held, uncompilable=frozenset({"python/p/newer.py"}))
    one = alone("LF201", examination, held)
    assert (one.severity, one.message.partition(": ")[2]) == (Severity.ERROR, "python/p/bare.py")
    held = replace(held, uncompilable=frozenset(files))
    assert found("LF201", examination, held) == []


def test_bytecode_of_an_optimized_run_is_none_that_lambda_reads() -> None:
    members = (a_member("python/p/m.py", b"x"), a_pyc("python/p/__pycache__/m.cpython-313.opt-1.pyc"))
    assert found("LF201", an_examination(*members))


def test_stale_bytecode_is_counted_in_one_finding() -> None:
    members = [a_member(f"python/p/{name}.py", b"x") for name in "ab"]
    members += [cached("a", PycState.STALE), cached("b", PycState.STALE)]
    assert "2 .pyc files" in alone("LF202", an_examination(*members)).message


def test_checked_bytecode_is_wrong_only_in_a_layer_of_our_own() -> None:
    examination = an_examination(a_member("python/p/a.py", b"x"), cached("a", PycState.CHECKED))
    assert found("LF202", examination) == []
    assert alone("LF202", examination, expect(bytecode=BytecodeMode.BESIDE)).severity is Severity.ERROR


@pytest.mark.parametrize(
    ("members", "severity"),
    [
        ([a_pyc("python/p/a.pyc", PycState.FOREIGN)], Severity.ERROR),
        ([a_pyc("python/p/a.pyc", PycState.BROKEN)], Severity.ERROR),
        ([a_pyc("python/p/a.pyc", PycState.FOREIGN), a_member("python/p/a.py")], Severity.WARNING),
        ([cached("a", PycState.FOREIGN, "cpython-312"), a_member("python/p/a.py")], Severity.WARNING),
        ([cached("a", PycState.BROKEN), a_member("python/p/a.py")], Severity.ERROR),
        ([cached("a", PycState.FOREIGN)], Severity.WARNING),
        ([cached("a")], Severity.WARNING),
        ([cached("a"), a_member("python/p/a.py")], None),
        ([a_pyc("python/p/a.pyc")], None),
    ],
)
def test_bytecode_that_fails_is_an_error_and_bytecode_that_is_never_read_a_warning(
    members: list[Member], severity: Severity | None
) -> None:
    assert [one.severity for one in found("LF203", an_examination(*members))] == [severity] * (severity is not None)


def test_bytecode_that_names_files_of_another_machine_is_found() -> None:
    members = (
        a_pyc("python/a.pyc", filename="/home/me/a.py"),
        a_pyc("python/b.pyc"),
        a_pyc("python/c.pyc", filename=""),
    )
    one = alone("LF204", an_examination(*members))
    assert one.message == "1 .pyc file with a source outside /opt/python/: python/a.pyc says /home/me/a.py"


def a_distribution(*rows: RecordRow, record: bool = True) -> Distribution:
    return Distribution(name="pkg", version="1", info=zips.INFO, record=rows if record else None)


METADATA = a_member(f"{zips.INFO}/METADATA", b"Name: pkg\n")


def row(member: Member) -> RecordRow:
    return RecordRow(path=member.path.removeprefix("python/"), sha256=member.sha256, size=member.size)


def test_a_distribution_without_metadata_is_an_error_and_one_without_record_a_warning() -> None:
    none = an_examination(distributions=[a_distribution()])
    assert alone("LF205", none).severity is Severity.ERROR
    one = alone("LF205", an_examination(METADATA, distributions=[a_distribution(record=False)]))
    assert (one.severity, "no RECORD" in one.message) == (Severity.WARNING, True)


def test_packages_without_dist_info_are_named_once() -> None:
    paths = (
        "python/a/__init__.py",
        "python/a/b.py",
        "python/c/d.so",
        "python/data/x.json",
        "python/one.py",
        "bin/t.py",
    )
    one = alone("LF205", an_examination(*(a_member(path, package="") for path in paths)))
    assert one.message == "2 packages without .dist-info: a, c"


def lies(*members: Member, rows: Iterable[RecordRow]) -> str:
    examination = an_examination(METADATA, *members, distributions=[a_distribution(row(METADATA), *rows)])
    return " ".join(one.message for one in found("LF206", examination))


def test_a_record_that_tells_the_truth_is_fine() -> None:
    good = a_member("python/p/a.py", b"x")
    rows = (
        row(good),
        RecordRow(path="../bin/tool", sha256="", size=None),
        RecordRow(path="../../bin/of_pip", sha256="00", size=1),
        RecordRow(path="p/__pycache__/a.cpython-313.pyc", sha256="", size=None),
    )
    assert lies(good, cached("a"), a_member("bin/tool"), a_member("bin/other", package=""), rows=rows) == ""


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        (RecordRow(path="p/gone.py", sha256="", size=None), "python/p/gone.py is missing"),
        (RecordRow(path="p/a.py", sha256="00", size=1), "python/p/a.py has another hash"),
        (RecordRow(path="p/a.py", sha256="", size=2), "python/p/a.py has another size"),
        (RecordRow(path="p/b.py", sha256="", size=None), "python/p/a.py is not listed"),
    ],
)
def test_a_record_that_lies_is_found(lie: RecordRow, message: str) -> None:
    members = (a_member("python/p/a.py", b"x"), a_member("python/p/b.py", b"y"))
    rows = [lie] if "listed" in message else [row(one) for one in members if one.path != f"python/{lie.path}"] + [lie]
    assert lies(*members, rows=rows) == f"1 row wrong: {message}"


def test_a_record_may_list_a_link_with_what_it_leads_to() -> None:
    real = a_member("python/p/a.so.1", b"x")
    linked = a_member("python/p/a.so", link="a.so.1")
    rows = [row(real), RecordRow(path="p/a.so", sha256=real.sha256, size=1)]
    assert lies(real, linked, rows=rows) == ""


def test_a_pth_file_is_found_where_python_would_look_for_it() -> None:
    members = (a_member("python/a.pth"), a_member("python/p/data.pth"))
    assert alone("LF207", an_examination(*members)).path == "python/a.pth"
    nested = a_member("python/lib/python3.13/site-packages/a.pth")
    assert alone("LF207", an_examination(nested)).path == nested.path


# --- packing ---------------------------------------------------------------------------------------------------------


def test_a_layer_above_the_limit_names_its_largest_packages() -> None:
    big = [a_member("python/a", size=200_000_000, package="a"), a_member("python/b", size=62_144_001, package="b")]
    assert alone("LF301", an_examination(*big)).message == (
        "262,144,001 bytes unzipped, of at most 262,144,000; the largest packages are a 200.0 MB, b 62.1 MB"
    )


def test_a_layer_at_the_limit_is_fine() -> None:
    assert found("LF301", an_examination(a_member("python/a", size=262_144_000))) == []


def test_a_budget_holds_for_both_sizes() -> None:
    examination = an_examination(a_member("python/a", b"x" * 100), zipped=50)
    assert found("LF303", examination, expect(budget=Budget(unzipped=100, zipped=50))) == []
    messages = [one.message for one in found("LF303", examination, expect(budget=Budget(unzipped=99, zipped=40)))]
    assert [message.split(";")[0] for message in messages] == [
        "100 bytes unzipped, 1 above the budget of 99",
        "50 bytes zipped, 10 above the budget of 40",
    ]


def test_files_that_the_function_may_not_read_are_counted_in_one_finding() -> None:
    closed = [a_member(f"python/{name}.py", mode=0o100600) for name in "ab"]
    fine = [a_member("python/c.py", mode=0), a_member("python/d", mode=0o120700, link="a.py")]
    one = alone("LF304", an_examination(*closed, *fine))
    assert (one.path, one.message) == (
        "python/a.py",
        "file with mode 0600 is closed to the function's user, and so are 1 more",
    )


def test_a_folder_that_cannot_be_entered_is_closed_too() -> None:
    assert alone("LF304", an_examination(folders=(a_member("python/", mode=0o040744),))).path == "python/"


@pytest.mark.parametrize(
    ("to", "bad"),
    [
        ("b.so", False),
        ("../lib/b.so", False),
        ("/opt/lib/b.so", False),
        ("../python", False),
        ("../lib", False),
        ("gone.so", True),
        ("../../etc/passwd", True),
        ("/etc/passwd", True),
        ("a.so", True),
    ],
)
def test_a_link_must_lead_to_something_in_the_layer(to: str, bad: bool) -> None:
    examination = an_examination(a_member("lib/a.so", link=to), a_member("lib/b.so"), a_member("python/c.py"))
    assert bool(found("LF305", examination)) is bad


def test_a_link_behind_a_link_to_a_folder_is_followed_as_the_kernel_does() -> None:
    members = (a_member("lib/here", link="../python/deep/er"), a_member("lib/a", link="here/../x"))
    assert found("LF305", an_examination(*members, a_member("python/deep/er/y"), a_member("python/deep/x"))) == []


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["numpy/__init__.py", "six.py"], "2 files lie where no function looks: numpy/__init__.py, six.py"),
        (["numpy/core.txt", "six.txt"], "the top of the zip holds numpy, six.txt"),
        (["layer/python/six.py"], "one folder too deep, in layer/"),
        ([], "holds no files"),
        (["python/lib/python3.12/site-packages/six.py"], "only python3.12 is served"),
    ],
)
def test_files_where_no_function_looks_are_an_error(paths: list[str], words: str) -> None:
    assert words in alone("LF306", an_examination(*map(a_member, paths))).message


@pytest.mark.parametrize(
    "paths",
    [
        ["python/six.py", "README"],
        ["lib/libx.so"],
        ["bin/tool"],
        ["extensions/x"],
        ["python/lib/python3.13/site-packages/a.py"],
        ["python/lib/python3.12/site-packages/a.py", "python/lib/python3.13/site-packages/a.py"],
    ],
)
def test_a_layer_with_any_folder_that_is_read_is_laid_out_well(paths: list[str]) -> None:
    assert found("LF306", an_examination(*map(a_member, paths))) == []


def pip_installed(folder: str) -> Examination:
    """What ``pip install --target`` leaves of a package with a program, in a folder of a zip."""
    info = f"{folder}tqdm-4.0.dist-info"
    paths = (f"{folder}bin/tqdm", f"{folder}tqdm/__init__.py", f"{info}/METADATA", f"{info}/REQUESTED")
    members = [replace(a_member(path), package="tqdm") for path in paths]
    row = Distribution(name="tqdm", version="4.0", info=info, record=())
    return replace(an_examination(*members), distributions=(row,))


def test_packages_at_the_top_are_named_file_by_file_and_pips_bin_does_not_make_them_right() -> None:
    one = alone("LF306", pip_installed(""))
    assert one.severity is Severity.ERROR
    assert one.message.startswith("3 files lie where no function looks: tqdm/__init__.py, tqdm-4.0.dist-info/")
    assert "`pip install --target python tqdm && zip -r layer.zip python`" in one.hint
    assert "`layerforge build tqdm`" in one.hint


@pytest.mark.parametrize("folder", ["", "x/python/", "python/python/", "lib/python3.13/site-packages/"])
def test_packages_are_found_wherever_they_were_put_by_mistake(folder: str) -> None:
    assert alone("LF306", pip_installed(folder)).severity is Severity.ERROR


@pytest.mark.parametrize("folder", ["python/", "python/lib/python3.13/site-packages/"])
def test_packages_where_a_function_looks_are_no_finding(folder: str) -> None:
    assert found("LF306", pip_installed(folder)) == []


def test_a_module_beside_a_right_layer_is_a_warning() -> None:
    one = alone("LF306", an_examination(a_member("python/six.py"), a_member("handler.py"), a_member("share/x.py")))
    assert (one.severity, one.path, one.message) == (
        Severity.WARNING,
        "handler.py",
        "1 file lies where no function looks: handler.py",
    )


def test_unsafe_names_are_reported_by_reason_and_without_control_characters(tmp_path: Path) -> None:
    names = ["../a", "../b", "python/c\n.py", "python/ok.py"]
    examination = examine(zips.write(tmp_path / "a.zip", [Put(name=name) for name in names]))
    assert [(one.path, one.message) for one in found("LF307", examination)] == [
        ("../a", "climbs out of the layer; so 1 other name"),
        ("python/c\\n.py", "has control characters"),
    ]


# --- notes -----------------------------------------------------------------------------------------------------------

LONG_AGO = datetime.date(2025, 1, 1)


def test_a_small_layer_for_a_supported_runtime_has_no_notes() -> None:
    assert notes(an_examination(a_member("python/a.py")), expect(), today=LONG_AGO) == ()


def test_a_large_zip_needs_a_bucket_and_what_would_shrink_it_is_named() -> None:
    examination = an_examination(zipped=52_428_801)
    (note,) = notes(examination, expect(), today=LONG_AGO)
    assert "publishing needs a bucket; `layerforge build --fit direct` looks for settings that fit" in note
    assert notes(an_examination(zipped=52_428_800), expect(), today=LONG_AGO) == ()


@pytest.mark.parametrize(
    ("today", "words"),
    [("2026-03-01", None), ("2026-06-01", "ends on 2026-10-31"), ("2026-11-01", "ended on 2026-10-31")],
)
def test_a_runtime_near_or_past_its_end_is_named(today: str, words: str | None) -> None:
    said = notes(an_examination(), expect("3.10"), today=datetime.date.fromisoformat(today))
    assert (words is None and said == ()) or (words is not None and words in said[0])


# --- running ---------------------------------------------------------------------------------------------------------


def test_every_top_level_module_of_a_layer_is_imported() -> None:
    paths = (
        "python/numpy/__init__.py",
        "python/numpy/linalg/__init__.py",
        "python/compiled/__init__.pyc",
        "python/native/__init__.cpython-313-x86_64-linux-gnu.so",
        "python/six.py",
        "python/only.pyc",
        "python/_private.py",
        "python/fast.abi3.so",
        "python/lib/python3.13/site-packages/deep/__init__.py",
        "python/tests/__init__.py",
        "python/docs/__init__.py",
        "python/numpy.libs/libx.so",
        "python/numpy-1.dist-info/METADATA",
        "python/data/file.json",
        "python/namespace/inner/__init__.py",
        "python/__pycache__/six.cpython-313.pyc",
        "python/bin/tool.py",
        "lib/liba.so",
        "bin/b.py",
    )
    names = top_level_imports(an_examination(*map(a_member, paths)))
    assert names == ("compiled", "deep", "fast", "native", "numpy", "only", "six")


def scripts(text: str) -> tuple[CheckScript, ...]:
    return (CheckScript(package="pkg", text=text),)


def outcome_of(imports: tuple[str, ...], script: str, folder: Path, *, others: tuple[str, ...] = ()) -> Outcome:
    """What the program really does in a Python of its own. The word of the run is empty."""
    argv = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n"]
    argv[-1] += init_program(Imports(needed=imports, others=others), "") + check_program(
        scripts(script) if script else ()
    )
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    return Outcome(status=done.returncode, output=done.stdout + done.stderr, seconds=0.0)


def checked(outcome: Outcome, imports: Imports | None = None) -> Checked:
    return run_check(FakeEngine([outcome]), target(), Path("/opt"), imports or Imports(), (), 5.0, word="")


def check(outcome: Outcome) -> tuple[Finding, ...]:
    return checked(outcome).findings


def test_the_engine_gets_the_program_the_folder_and_the_time() -> None:
    engine = FakeEngine([Outcome(status=0, output='\nlayerforge-check:word{"done": true}\n', seconds=1.0)])
    imports = Imports(needed=("numpy",))
    found = run_check(engine, target(), Path("/some/opt"), imports, scripts("assert 1"), 5.0, word="word")
    assert found == Checked(findings=(), notes=(), figures=Figures())
    (job,) = engine.jobs
    assert (job.opt, job.timeout, job.target) == (Path("/some/opt"), 5.0, target())
    assert job.init == init_program(imports, "word")
    assert job.program == check_program(scripts("assert 1"))


def test_each_run_has_a_word_of_its_own_and_believes_no_line_without_it() -> None:
    forged = Outcome(status=0, output='\nlayerforge-check:{"done": true}\n', seconds=1.0)
    engine = FakeEngine([forged, forged])
    for _ in range(2):
        found = run_check(engine, target(), Path("/opt"), Imports(needed=("a",)), (), 5.0)
        assert rules(found.findings) == ["LF402"]
    first, second = engine.jobs
    assert first.init != second.init


FORGERIES = [
    "print('layerforge-check:{\"done\": true}', flush=True)",
    "import __main__; __main__.report(done=True)",
    "import __main__; next(__main__.CHECK)",
    "import __main__; __main__.CHECK.send('')",
    "import __main__; __main__.checking('', [], []).send(None)",
    "",
]


@pytest.mark.parametrize("code", FORGERIES)
@pytest.mark.parametrize("end", ["import os; os._exit(0)", "import sys; sys.exit(0)", "raise SystemExit"])
def test_a_module_that_ends_the_program_while_it_is_imported_has_failed_whatever_it_says(
    code: str, end: str, tmp_path: Path
) -> None:
    text = f"try:\n    {code or 'pass'}\nexcept BaseException:\n    pass\n{end}\n"
    (tmp_path / "leaves.py").write_text(text)
    word = "f00d"
    argv = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"]
    argv[-1] += init_program(Imports(needed=("leaves",)), word) + check_program(())
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    ended = Outcome(status=done.returncode, output=done.stdout + done.stderr, seconds=0.0)
    found = run_check(FakeEngine([ended]), target(), Path("/opt"), Imports(needed=("leaves",)), (), 5.0, word=word)
    assert rules(found.findings) in (["LF401"], ["LF402"])


def test_a_check_that_a_module_ends_has_failed_though_it_may_end_itself(tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text("import sys\ndef leave(): sys.exit(0)\n")
    assert rules(check(outcome_of((), "import leaving; leaving.leave()", tmp_path))) == ["LF402"]
    assert check(outcome_of((), "import leaving, sys; sys.exit(0)", tmp_path)) == ()


def test_what_nobody_needs_may_fail_and_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "extra.py").write_text("import not_there")
    outcome = outcome_of(("json",), "raise ValueError('the check was run')", tmp_path, others=("extra",))
    found = checked(outcome, Imports(needed=("json",), others=("extra",)))
    assert [(one.rule, one.message.partition("\n")[0]) for one in found.findings] == [
        ("LF402", "pkg/check.py: ValueError: the check was run")
    ]
    assert found.notes == (
        "extra cannot be imported, which its package does not need: ModuleNotFoundError: No module named 'not_there'",
    )


def test_modules_that_fail_for_one_reason_are_one_note(tmp_path: Path) -> None:
    names = tuple(f"extra{number}" for number in range(9))
    for name in names:
        (tmp_path / f"{name}.py").write_text("import not_there")
    found = checked(outcome_of(("json",), "", tmp_path, others=names), Imports(needed=("json",), others=names))
    assert found.notes == (
        "extra0, extra1, extra2 and 6 more cannot be imported, which their packages do not need: "
        "ModuleNotFoundError: No module named 'not_there'",
    )


@pytest.mark.parametrize(("failing", "expected"), [(("a.x",), []), (("a.x", "a.y"), ["LF401", "LF401"])])
def test_of_the_parts_of_a_namespace_one_has_to_be_there(failing: tuple[str, ...], expected: list[str]) -> None:
    lines = [f'layerforge-check:{{"failed": "{name}", "error": "E"}}\n' for name in failing]
    outcome = Outcome(status=0, output="".join(lines) + 'layerforge-check:{"done": true}', seconds=0.0)
    assert rules(checked(outcome, Imports(parts={"a": ("a.x", "a.y")})).findings) == expected


def test_libraries_of_the_machine_that_were_loaded_are_an_error_that_names_them() -> None:
    outcome = Outcome(
        status=0,
        output='layerforge-check:{"done": true}',
        seconds=0.0,
        open="its files were in sight",
        foreign=("/usr/lib/libmagic.so.1",),
    )
    found = checked(outcome, Imports(needed=("magic",)))
    assert [(one.rule, "/usr/lib/libmagic.so.1" in one.message) for one in found.findings] == [("LF103", True)]
    assert found.notes == ("the run was not shut off as on Lambda: its files were in sight",)


def test_a_layer_without_modules_says_that_nothing_was_imported() -> None:
    outcome = Outcome(status=0, output='layerforge-check:{"done": true}', seconds=0.0)
    assert checked(outcome).notes == ("nothing was imported, since there is no Python module in the layer",)
    assert nothing_proved(an_examination(a_member("lib/libx.so"))) == ()
    (one,) = nothing_proved(an_examination(a_member("python/my-script.py")))
    assert (one.rule, one.severity) == ("LF401", Severity.ERROR)


# --- which modules prove a layer


def modules_of(package: str, *paths: str) -> list[Member]:
    return [replace(a_member(f"python/{path}"), package=package) for path in paths]


@pytest.mark.parametrize(
    ("package", "paths", "needed", "others"),
    [
        ("duckdb", ("duckdb/__init__.py", "_duckdb.so", "adbc_driver_duckdb/__init__.py"), ("duckdb",), 1),
        ("beautifulsoup4", ("bs4/__init__.py",), ("bs4",), 0),
        ("setuptools", ("setuptools/__init__.py", "pkg_resources/__init__.py"), ("setuptools",), 1),
        ("many-names", ("one.py", "two/__init__.py"), ("one", "two"), 0),
        ("argon2-bindings", ("_argon2.abi3.so",), ("_argon2",), 0),
        ("google-cloud-storage", ("google/cloud/storage/__init__.py",), ("google.cloud.storage",), 0),
        ("testing", ("tests/__init__.py", "testing.py"), ("testing",), 0),
    ],
)
def test_a_package_needs_the_module_of_its_name_else_all_that_it_has(
    package: str, paths: tuple[str, ...], needed: tuple[str, ...], others: int
) -> None:
    found = imports_of(an_examination(*modules_of(package, *paths)))
    assert found.needed == needed
    assert len(found.others) == others
    assert not found.parts


def test_every_package_has_to_prove_itself_the_ones_below_a_namespace_too() -> None:
    members = [
        *modules_of("opentelemetry-api", "opentelemetry/trace/__init__.py", "opentelemetry/trace/span.py"),
        *modules_of("opentelemetry-api", "opentelemetry/context/__init__.py", "opentelemetry/version.py"),
        *modules_of("six", "six.py"),
    ]
    found = imports_of(an_examination(*members))
    assert found.needed == ("six",)
    assert found.parts == {
        "opentelemetry-api": ("opentelemetry.context", "opentelemetry.trace", "opentelemetry.version")
    }
    assert found.names == ("six", "opentelemetry.context", "opentelemetry.trace", "opentelemetry.version")


def test_what_the_engine_and_the_program_measured_are_the_figures(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text("for _ in range(1_000_000): pass\nimport time\ntime.sleep(0.1)\n")
    ended = replace(outcome_of(("busy",), "", tmp_path), init_ms=1119.4, peak_memory=109_000_000)
    found = checked(ended)
    figures = found.figures
    assert found.findings == ()
    assert (figures.init_ms, figures.peak_memory) == (1119.4, 109_000_000)
    assert figures.import_seconds is not None
    assert figures.import_cpu_seconds is not None
    assert figures.import_seconds >= 0.1
    assert 0 < figures.import_cpu_seconds < figures.import_seconds


@pytest.mark.parametrize("line", ['{"import_seconds": "x"}', "[]", '{"import_cpu_seconds": null}'])
def test_a_module_that_writes_into_the_report_gives_no_figures(line: str) -> None:
    outcome = Outcome(status=0, output=f"layerforge-check:{line}\n", seconds=0.0)
    assert checked(outcome).figures == Figures()


@pytest.mark.parametrize(("init_ms", "expected"), [(None, []), (10_000.0, []), (10_400.0, ["LF408"])])
def test_an_init_phase_that_lambda_would_break_off_is_a_warning(init_ms: float | None, expected: list[str]) -> None:
    found = check(Outcome(status=0, output='layerforge-check:{"done": true}\n', seconds=12.0, init_ms=init_ms))
    assert rules(found) == expected
    assert all(one.severity is Severity.WARNING and "took 10.4 s" in one.message for one in found)


def test_too_little_memory_is_told_as_such() -> None:
    output = 'layerforge-check:{"doing": "import torch"}\n'
    (one,) = check(Outcome(status=-9, output=output, seconds=1.0, out_of_memory=True))
    assert (one.rule, one.message) == ("LF409", "had not enough memory for: import torch")
    assert "--memory" in one.hint


def test_a_check_that_passes_has_no_findings(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("import sys; sys.stdout.write('no line end')")
    script = (
        "import good, pickle",
        "class A: pass",
        "assert __name__ == '__main__'",
        "pickle.dumps(A())",
        "report = 1",
    )
    assert check(outcome_of(("json", "good"), "\n".join(script), tmp_path)) == ()


def test_every_import_that_fails_is_named_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("raise ValueError('first\\nlast')")
    (tmp_path / "leaves.py").write_text("import sys; sys.exit(3)")
    found = check(outcome_of(("absent", "bad", "json", "leaves"), "raise OSError", tmp_path))
    assert rules(found) == ["LF401"] * 3
    assert found[0].message == "import absent: ModuleNotFoundError: No module named 'absent'"
    assert found[1].message == "import bad: ValueError: first\nlast"
    assert found[2].message == "import leaves: SystemExit: 3"


def test_a_failed_assertion_shows_its_message_and_its_line(tmp_path: Path) -> None:
    (one,) = check(outcome_of((), "x = 2\nassert x == 3, 'x is not three'\n", tmp_path))
    assert one.rule == "LF402"
    assert one.message.startswith("pkg/check.py: AssertionError: x is not three\n")
    assert "assert x == 3" in one.message.partition("\n")[2]


HEAD = "Traceback (most recent call last):"


def frames(message: str) -> list[str]:
    """The lines of a message that name a frame, or begin a traceback."""
    return [line.strip() for line in message.splitlines() if line.strip().startswith(("File ", HEAD))]


CHAINED = """
def lower():
    raise KeyError(1)
def run():
    try:
        lower()
    except KeyError as error:
        raise ValueError(2) from error
run()
"""


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("assert 0", [HEAD, 'File "pkg/check.py", line 1, in <module>']),
        ("def broken(:", [HEAD, 'File "pkg/check.py", line 1']),
        (
            CHAINED,
            [
                *(HEAD, 'File "pkg/check.py", line 6, in run', 'File "pkg/check.py", line 3, in lower'),
                *(HEAD, 'File "pkg/check.py", line 9, in <module>', 'File "pkg/check.py", line 8, in run'),
            ],
        ),
    ],
)
def test_the_traceback_of_a_check_begins_at_the_check(script: str, lines: list[str], tmp_path: Path) -> None:
    (one,) = check(outcome_of((), script, tmp_path))
    # The program keeps the last lines only, so a long traceback may lack its first ones.
    shown = frames(one.message)
    assert shown == lines[-len(shown) :]
    assert len(shown) >= min(len(lines), 3)


def failed(*trace: str) -> list[str]:
    """What is shown of a traceback."""
    report = json.dumps({"failed": "pkg/check.py", "error": "ValueError: 1", "trace": trace})
    (one,) = check(Outcome(status=0, output=f'layerforge-check:{report}\nlayerforge-check:{{"done": true}}', seconds=0))
    return [line.removeprefix("    ") for line in one.message.splitlines()[1:]]


OWN = ['  File "/tmp/x/program.py", line 58, in run', "    exec(code)", "    ~~~~^^^^^^"]
CHECKS = [
    '  File "pkg/check.py", line 9, in <module>',
    "    f()",
    '  File "/opt/python/p.py", line 1, in f',
    "Error: 1",
]


@pytest.mark.parametrize("own", [[], OWN[:1], OWN[:2], OWN])
def test_frames_of_the_program_are_left_out_with_their_source_lines(own: list[str]) -> None:
    assert failed(HEAD, *own, *CHECKS) == [HEAD, *CHECKS]


@pytest.mark.parametrize("cut", range(4))
def test_frames_of_the_program_are_left_out_where_the_traceback_was_cut_in_them(cut: int) -> None:
    assert failed(*OWN[cut:], *CHECKS) == CHECKS


def test_frames_of_a_package_that_calls_back_into_the_check_stay() -> None:
    back = ['  File "/opt/python/p.py", line 7, in run', "    call()", '  File "pkg/check.py", line 2, in call']
    assert failed(HEAD, *OWN, *CHECKS[:-1], *back, CHECKS[-1]) == [HEAD, *CHECKS[:-1], *back, CHECKS[-1]]


def test_a_traceback_without_a_frame_of_the_check_is_shown_as_it_is() -> None:
    trace = [HEAD, '  File "/opt/python/p.py", line 1, in run', "    f()", "ValueError: 1"]
    assert failed(*trace) == trace


@pytest.mark.parametrize("script", ["import sys; sys.exit('no')", "def broken(:", "import os; os._exit(0)"])
def test_a_check_that_does_not_reach_its_end_has_failed(script: str, tmp_path: Path) -> None:
    assert rules(check(outcome_of((), script, tmp_path))) == ["LF402"]


def test_a_check_may_leave_with_success(tmp_path: Path) -> None:
    assert check(outcome_of((), "raise SystemExit(0)", tmp_path)) == ()


def test_a_crash_names_the_signal_and_what_was_being_imported(tmp_path: Path) -> None:
    (tmp_path / "crash.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    (one,) = check(outcome_of(("json", "crash"), "", tmp_path))
    assert (one.rule, one.message) == ("LF403", "ended by SIGSEGV at: import crash")


def test_a_crash_shows_the_last_lines_that_were_written() -> None:
    output = "noise\n" * 50 + 'layerforge-check:{"doing": "import a"}\nFatal Python error: Segmentation fault\n'
    (one,) = check(Outcome(status=-11, output=output, seconds=0.0))
    assert one.message.splitlines()[-1] == "    Fatal Python error: Segmentation fault"
    assert len(one.message.splitlines()) == 13


def test_a_check_that_runs_out_of_time_says_where_it_was() -> None:
    output = 'layerforge-check:{"doing": "pkg/check.py"}\nlayerforge-check:{"half'
    (one,) = check(Outcome(status=-9, output=output, seconds=5.0, timed_out=True))
    assert (one.rule, one.message) == ("LF404", "did not end within 5 seconds; it was at: pkg/check.py")


def test_a_check_that_fails_after_its_end_has_failed() -> None:
    output = 'layerforge-check:{"doing": "exit"}\nlayerforge-check:{"done": true}\n'
    (one,) = check(Outcome(status=3, output=output, seconds=0.0))
    assert (one.rule, one.message) == ("LF402", "ended with status 3 at: exit")


def test_a_program_that_never_starts_is_a_failed_check() -> None:
    (one,) = check(Outcome(status=127, output="python: not found\n", seconds=0.0))
    assert (one.rule, one.message) == ("LF402", "ended with status 127 at: start\n    python: not found")


@pytest.mark.parametrize(
    ("error", "rule"),
    [
        ("ImportError: libgomp.so.1: cannot open shared object file: No such file or directory", "LF103"),
        ("ImportError: /lib64/libc.so.6: version `GLIBC_2.38' not found", "LF101"),
        ("importlib.metadata.PackageNotFoundError: No package metadata was found for x", "LF205"),
    ],
)
def test_the_hint_of_a_failed_import_suits_its_cause(error: str, rule: str) -> None:
    output = f'layerforge-check:{{"failed": "x", "error": "{error}"}}\nlayerforge-check:{{"done": true}}\n'
    (one,) = check(Outcome(status=0, output=output, seconds=0.0))
    assert rule in one.hint


def test_a_layer_with_a_link_is_judged_like_one_with_files(tmp_path: Path) -> None:
    files = [Put(name=name, data=data) for name, data in zips.sound().items()]
    path = zips.write(tmp_path / "a.zip", [*files, link("lib/alias", "../python/pkg")])
    assert judge(examine(path, target("3.11")), expect("3.11")) == ()
