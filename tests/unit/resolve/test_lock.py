import pytest
from packaging.markers import Marker

from fakes import target
from layerforge.core.runtimes import Arch
from layerforge.resolve import lock, markers
from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Pin

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64

TEXT = f"""# Locked by layerforge for Python 3.12 and newer. Renew with: layerforge lock demo
Demo.Pkg==1.2 ; python_full_version >= '3.12' \\
    --hash={B} \\
    --hash={A}
colorama==0.4 ; sys_platform == 'win32' --hash={A}   # only there
arm-thing==1 ; platform_machine == 'aarch64' --hash={A}
"""


def test_a_lock_is_read_with_hashes_markers_and_its_oldest_python() -> None:
    read = lock.parse(TEXT, "requirements.lock")
    assert read.oldest_python == "3.12"
    assert [pin.name for pin in read.pins] == ["arm-thing", "colorama", "demo-pkg"]
    assert read.pins[2] == Pin(
        name="demo-pkg", version="1.2", hashes=(A, B), marker='python_full_version >= "3.12"', address=""
    )


@pytest.mark.parametrize(("arch", "names"), [(Arch.X86_64, ["demo-pkg"]), (Arch.ARM64, ["arm-thing", "demo-pkg"])])
def test_only_the_pins_of_the_target_apply(arch: Arch, names: list[str]) -> None:
    read = lock.parse(TEXT, "x")
    assert [pin.name for pin in lock.applicable(read, target(arch=arch))] == names


@pytest.mark.parametrize(
    ("marker", "counts"),
    [
        ('os_name == "posix"', True),
        ('extra == "more"', False),
        ('os_name ~= "x"', False),
        ('python_version ~= "abc"', False),
        ('"x" in extras', False),
    ],
)
def test_a_marker_that_makes_no_sense_never_counts(marker: str, counts: bool) -> None:
    assert markers.marker_applies(Marker(marker), markers.environment(target())) is counts


def test_what_is_rendered_reads_back_the_same() -> None:
    pins = lock.parse(TEXT, "x").pins
    assert lock.parse(lock.render(pins), "x").pins == pins


def test_a_direct_reference_keeps_its_address() -> None:
    [pin] = lock.parse(f"demo @ file:///there/demo.whl --hash={A}", "x").pins
    assert (pin.version, pin.address) == ("", "file:///there/demo.whl")
    assert lock.render([pin]).startswith("demo @ file:///there/demo.whl")


def test_every_bad_line_is_told_at_once_with_its_number() -> None:
    text = f"--index-url somewhere\nfree>=1 --hash={A}\nbare==1\n\n!!! --hash={A}\n"
    with pytest.raises(LockError) as caught:
        lock.parse(text, "my.lock")
    assert [line.partition(": ")[0] for line in caught.value.details] == [
        "my.lock:1",
        "my.lock:2",
        "my.lock:3",
        "my.lock:5",
    ]
    assert "no index" in caught.value.details[0]
    assert "not pinned" in caught.value.details[1]
    assert "has no --hash" in caught.value.details[2]


def test_a_name_that_is_locked_twice_for_one_target_is_refused() -> None:
    read = lock.parse(f"a==1 --hash={A}\na==2 --hash={B}\n", "x")
    with pytest.raises(LockError, match="holds a twice"):
        lock.applicable(read, target())


def test_a_lock_that_no_longer_fits_its_recipe_is_stale() -> None:
    pins = lock.parse(f"a==1.5 --hash={A}", "x").pins
    lock.check_fresh(["A>=1,<2", "b; sys_platform == 'win32'"], pins, target(), "layerforge lock a")
    with pytest.raises(LockError) as caught:
        lock.check_fresh(["a>=2", "c"], pins, target(), "layerforge lock a")
    assert caught.value.details == ("a>=2 is required but 1.5 is locked", "c is required but not locked")
    assert "layerforge lock a" in caught.value.hint


def test_a_lock_for_newer_pythons_does_not_serve_an_older_one() -> None:
    read = lock.parse(TEXT, "x")
    lock.check_python(read, target("3.14"), "renew")
    with pytest.raises(LockError, match=r"3\.12 and newer, the target is 3\.11"):
        lock.check_python(read, target("3.11"), "renew")


def test_a_lock_without_the_header_serves_every_python() -> None:
    lock.check_python(lock.parse(f"a==1 --hash={A}", "x"), target("3.10"), "renew")
    assert lock.parse("", "x").pins == ()


@pytest.mark.parametrize(
    "line",
    [
        "--index-url=https://user:s3cret@there/simple",
        "--extra-index-url https://user:s3cret@there/simple",
        "-ihttps://user:s3cret@there/simple",
        f"demo @ https://user:s3cret@there/demo.whl --hash={A}",
        f"demo @ https://user:s3cret@there/demo.whl ;; --hash={A}",
        "-e git+https://user:s3cret@there/demo",
        "https://user:s3cret@there/demo.whl",
    ],
)
def test_a_bad_line_is_told_without_its_password(line: str) -> None:
    with pytest.raises(LockError) as caught:
        lock.parse(f"{line}\n", "x")
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}{caught.value.details}"


def test_a_line_that_names_an_index_is_to_be_deleted() -> None:
    with pytest.raises(LockError) as caught:
        lock.parse("--index-url=https://there/simple\n", "x")
    assert caught.value.details == ("x:1: a lock names no index and no option: delete that line, --index-url",)


@pytest.mark.parametrize("line", ["-e ./project", "./project", "project @ file:///there/project"])
def test_a_project_on_disk_is_no_pin(line: str) -> None:
    with pytest.raises(LockError) as caught:
        lock.parse(f"{line}\n", "x")
    assert lock.LOCAL_PROJECT in caught.value.details[0]


def test_a_wheel_on_disk_in_a_file_is_to_be_a_target() -> None:
    with pytest.raises(LockError) as caught:
        lock.parse(f"./wheels/demo-1.0-py3-none-any.whl --hash={A}\n", "x")
    assert "name the wheel itself as a target" in caught.value.details[0]


def test_extras_are_read_and_written() -> None:
    [pin] = lock.parse(f"requests[use_chardet,socks]==2 --hash={A}", "x").pins
    assert pin.extras == ("socks", "use_chardet")
    assert lock.parse(lock.render([pin]), "x").pins == (pin,)


def test_what_is_written_holds_no_path_of_this_machine() -> None:
    local = "demo[a] @ file:///there/demo-1.0%2Bcpu-py3-none-any.whl ; python_version > '3'"
    text = f"{local} --hash={A}\nz @ https://b/z.whl --hash={A}"
    written = lock.render_portable(lock.parse(text, "x").pins)
    assert written.splitlines()[0] == 'demo[a]==1.0+cpu ; python_version > "3" \\'
    assert "z @ https://b/z.whl" in written


def test_a_pin_to_another_address_than_is_required_is_stale() -> None:
    pins = lock.parse(f"a @ https://there/a-1.whl --hash={A}", "x").pins
    lock.check_fresh(["a @ https://there/a-1.whl#sha256=1"], pins, target(), "")
    with pytest.raises(LockError, match="stale"):
        lock.check_fresh(["a @ https://there/a-2.whl"], pins, target(), "")


def test_a_line_that_still_goes_on_at_the_end_of_the_file_counts() -> None:
    [pin] = lock.parse(f"demo==1 --hash={A} \\\n", "x").pins
    assert (pin.name, pin.hashes) == ("demo", (A,))
