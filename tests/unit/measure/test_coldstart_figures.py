"""What is told of cold starts, without any container."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import FakeProgress, target
from layerforge.build.engine import Job, Outcome
from layerforge.core.errors import UsageError, VerificationError
from layerforge.core.limits import share
from layerforge.core.runtimes import Arch
from layerforge.measure.coldstart import plot
from layerforge.measure.coldstart import prices as price_list
from layerforge.measure.coldstart.experiment import Experiment, Function, MeasuredLayer, Sample, Series
from layerforge.measure.coldstart.functions import default_modules, of_file, of_imports
from layerforge.measure.coldstart.measure import NO_MEMORY, NO_TIME, measure, nearest
from layerforge.measure.coldstart.page_cache import Reading, drop_page_cache
from layerforge.measure.coldstart.prices import Prices, prices
from layerforge.measure.coldstart.reading import read_coldstart
from layerforge.measure.coldstart.statistics import ratio, spread, warnings
from layerforge.measure.coldstart.writing import as_data, subject_names
from layerforge.measure.importtime import VARIABLE
from zips import a_member, an_examination

MEGABYTE = 2**20
IMPORTED = """import time:        50 |         50 |   deep
import time:        25 |         75 | top
import time:         5 |          5 | other
"""


@dataclass
class FakeLambda:
    """Functions that answer by their job."""

    answer: Callable[[Job], Outcome]
    processors: int = 2
    jobs: list[Job] = field(default_factory=list)

    def run(self, job: Job) -> Outcome:
        self.jobs.append(job)
        return self.answer(job)


def ended(init_ms: float = 100.0, **facts: Any) -> Outcome:
    plain: dict[str, Any] = {
        "status": 0,
        "output": "",
        "seconds": 1.0,
        "init_ms": init_ms,
        "init_cpu_ms": init_ms / 2,
        "invoke_ms": (3.0, 2.0),
        "peak_memory": 50 * 10**6,
    }
    return Outcome(**{**plain, **facts})


def a_sample(init_ms: float, *, cpu: float | None = None, first: float = 0.0, peak: int = 0) -> Sample:
    cpu = init_ms if cpu is None else cpu
    return Sample(init_ms=init_ms, init_cpu_ms=cpu, first_ms=first, second_ms=0.0, peak_memory=peak)


def a_series(*samples: Sample, memory: int = 1769, processors: float = 1.0, trouble: str = "") -> Series:
    return Series(subject=0, memory=memory, processors=processors, samples=samples, trouble=trouble)


def a_subject(folder: Path, name: str = "layer.zip") -> MeasuredLayer:
    opt = folder / name.removesuffix(".zip")
    (opt / "python").mkdir(parents=True, exist_ok=True)
    (opt / "python/top.py").write_text("x = 1\n" * 100)
    seen = an_examination(a_member("python/top.py", b"x" * 600), path=folder / name, sha256=f"digest of {name}")
    return MeasuredLayer(examination=seen, opt=opt)


def an_order(folder: Path, *names: str, memories: tuple[int, ...] = (512, 1769), runs: int = 2) -> Experiment:
    return Experiment(
        target=target(),
        function=of_imports(["top"]),
        subjects=tuple(a_subject(folder, name) for name in names or ("layer.zip",)),
        memories=memories,
        runs=runs,
    )


# --- statistics


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_the_median_lies_between_least_and_most(values: list[float]) -> None:
    told = spread(values)
    assert min(values) == told.low <= told.median <= told.high == max(values)


def test_a_spread_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        spread([])


def test_layers_are_compared_by_their_medians() -> None:
    ours, theirs = [a_sample(10.0), a_sample(30.0), a_sample(1000.0)], [a_sample(60.0)]
    assert ratio(ours, theirs, lambda one: one.init_ms) == 0.5


def test_nothing_is_compared_where_one_layer_never_ran() -> None:
    assert ratio([], [a_sample(1.0)], lambda one: one.init_ms) is None
    assert ratio([a_sample(1.0)], [], lambda one: one.init_ms) is None
    assert ratio([a_sample(1.0)], [a_sample(0.0)], lambda one: one.init_ms) is None


# --- Lambda's share of processors


@pytest.mark.parametrize(
    ("memory", "machine", "expected"),
    [(1769, 2, 1.0), (3538, 2, 2.0), (10_240, 64, 10_240 / 1769), (10_240, 2, 2.0), (128, 2, 128 / 1769)],
)
def test_processors_go_by_memory_as_far_as_the_machine_has_them(memory: int, machine: int, expected: float) -> None:
    assert share(memory, machine) == pytest.approx(expected)


def test_a_machine_with_fewer_processors_than_lambda_is_told() -> None:
    said = list(warnings([a_series(a_sample(1.0), memory=size) for size in (1769, 3008, 10_240)], 1))
    assert said == [
        "this machine has 1 processors, Lambda gives more at 3,008 MB, 10,240 MB: the times there may be too long"
    ]
    assert list(warnings([a_series(a_sample(1.0), memory=3008)], 2)) == []


def test_an_init_phase_that_lambda_would_give_up_is_told() -> None:
    [said] = warnings([a_series(a_sample(10_001.0)), a_series(a_sample(5.0))], 2)
    assert said.startswith("at 1,769 MB init takes more than 10 s")
    assert not list(warnings([a_series(a_sample(10_000.0))], 2))


def test_a_busy_machine_is_told_by_processor_time_and_share() -> None:
    [said] = warnings([a_series(a_sample(3100.0, cpu=1000.0))], 2)
    assert "the machine is busy" in said
    half = [a_series(a_sample(3100.0, cpu=1000.0), memory=884, processors=0.5)]
    assert not any("busy" in said for said in warnings(half, 2))


def test_sizes_below_a_whole_processor_come_with_a_word_of_caution() -> None:
    [said] = warnings([a_series(a_sample(1.0), memory=512)], 2)
    assert "lend the init phase more" in said


# --- costs


def test_a_cold_start_is_billed_by_gigabytes_and_whole_milliseconds() -> None:
    at = Prices(region="r", date="d", gb_second=0.01, request=0.5)
    cost = price_list.cost(a_series(a_sample(999.2, first=0.3), memory=2048), at, per_day=10)
    assert cost is not None
    assert cost.gb_seconds == pytest.approx(2 * 10**6)
    assert cost.dollars == pytest.approx((2 * 0.01 + 0.5) * 10**6)
    assert cost.dollars_a_year == pytest.approx((2 * 0.01 + 0.5) * 3650)


def test_what_never_ran_costs_nothing_that_could_be_told() -> None:
    assert price_list.cost(a_series(trouble=NO_MEMORY), prices(Arch.X86_64)) is None


def test_arm_is_cheaper_and_the_table_is_dated() -> None:
    x86, arm = prices(Arch.X86_64), prices(Arch.ARM64)
    assert 0.7 < arm.gb_second / x86.gb_second < 0.9
    assert (x86.region, x86.date) == ("us-east-1", "2025-08-01")


def test_a_price_of_ones_own_has_neither_region_nor_date() -> None:
    own = prices(Arch.X86_64, 0.5)
    assert (own.gb_second, own.region, own.date) == (0.5, "", "")
    assert own.request == prices(Arch.X86_64).request


# --- the function


def test_modules_are_imported_in_the_init_phase() -> None:
    function = of_imports(["a.b", "c"])
    # Statements could be lazy, where a variable says so (PEP 810).
    assert (function.init, function.program) == ("__import__('a.b')\n__import__('c')\n", "")
    assert function.about == {"imports": ["a.b", "c"]}


def lived(function: Function, times: int = 1) -> dict[str, object]:
    """Runs a function's two texts here, as the sandbox does."""
    names: dict[str, object] = {"CONTEXT": "the context"}
    exec(function.init, names)
    for _ in range(times):
        exec(function.program, names)
    return names


def test_a_handlers_module_level_is_the_init_phase_and_its_handler_the_invocation(tmp_path: Path) -> None:
    file = tmp_path / "cold_app.py"
    file.write_text(
        "seen = []\nif __name__ == '__main__':\n    1 / 0\n"
        "def handler(event, context):\n    seen.append((event, context))\n    return {'n': N}\n"
        f"from decimal import Decimal\nN = Decimal({str(Decimal(1))!r})\n"
    )
    try:
        lived(of_file(file, '{"a": [1, null, "\\u00e9"]}'), times=2)
        module = sys.modules["cold_app"]
        assert module.__file__ == "/var/task/cold_app.py"
        assert module.seen == [({"a": [1, None, "é"]}, "the context")] * 2
    finally:
        sys.modules.pop("cold_app", None)


def test_a_handler_may_have_the_name_that_lambdas_console_gives_it(tmp_path: Path) -> None:
    file = tmp_path / "cold_console.py"
    file.write_text("seen, handler = [], 'a log'\ndef lambda_handler(event, context):\n    seen.append(event)\n")
    try:
        lived(of_file(file))
        assert sys.modules["cold_console"].seen == [{}]
    finally:
        sys.modules.pop("cold_console", None)


@pytest.mark.parametrize("text", ["def handlr(event, context): pass\n", "handler = 3\n"])
def test_a_file_without_a_handler_fails_in_the_init_phase(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cold_none.py"
    file.write_text(text)
    try:
        with pytest.raises(TypeError, match=r"cold_none\.py has no function `handler\(event, context\)`"):
            exec(of_file(file).init, {})
    finally:
        sys.modules.pop("cold_none", None)


def test_an_answer_that_is_no_json_fails_as_on_lambda(tmp_path: Path) -> None:
    file = tmp_path / "cold_bad.py"
    file.write_text("def handler(event, context):\n    return {1, 2}\n")
    try:
        with pytest.raises(TypeError):
            lived(of_file(file))
    finally:
        sys.modules.pop("cold_bad", None)


@pytest.mark.parametrize("event", ["{", "NaN", "", "{'a': 1}", "[" * 100_000, "9" * 5_000])
def test_an_event_has_to_be_json(tmp_path: Path, event: str) -> None:
    (tmp_path / "app.py").write_text("")
    with pytest.raises(UsageError, match="--event is no JSON"):
        of_file(tmp_path / "app.py", event)


def test_a_handler_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.py cannot be read"):
        of_file(tmp_path / "absent.py")


def test_what_was_asked_for_is_imported_and_all_where_nobody_knows() -> None:
    seen = an_examination(
        a_member("python/sklearn/__init__.py", package="scikit-learn"), a_member("python/six.py", package="six")
    )
    assert default_modules(seen, ["Scikit_Learn>=1.9 ; python_version > '3'"]) == ("sklearn",)
    assert default_modules(seen, ["./some.whl", "nothing-here"]) == ("six", "sklearn")
    assert default_modules(seen) == ("six", "sklearn")


# --- reading cold


def on_a_disk(folder: Path) -> Path:
    """A folder of new files, where they can be dropped from memory at all."""
    place = folder / "files"
    place.mkdir()
    (place / "empty").touch()
    (place / "data").write_bytes(os.urandom(MEGABYTE))
    (place / "link").symlink_to("absent")
    os.sync()
    if not drop_page_cache(place):
        pytest.skip("this file system lies in memory")
    return place


def test_files_that_were_read_are_dropped_from_memory_without_any_rights(tmp_path: Path) -> None:
    place = on_a_disk(tmp_path)
    for _ in range(20):
        assert len((place / "data").read_bytes()) == MEGABYTE
        assert drop_page_cache(place)


def test_a_file_that_someone_holds_in_memory_is_not_taken_for_cold(tmp_path: Path) -> None:
    place = on_a_disk(tmp_path)
    with (place / "data").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[:: mmap.PAGESIZE]) > 0
        assert not drop_page_cache(place)


def test_a_disk_in_memory_is_not_taken_for_cold(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        pytest.skip("there is no disk in memory")
    folder = memory / f"layerforge-test-{os.getpid()}"
    folder.mkdir()
    try:
        order = replace(an_order(tmp_path, runs=1), subjects=(a_subject(folder),))
        made = measure(order, FakeLambda(lambda job: ended()), FakeProgress())
        assert made.reading is Reading.WARM
    finally:
        shutil.rmtree(folder)


def test_what_one_run_leaves_in_memory_is_dropped_before_the_next(tmp_path: Path) -> None:
    on_a_disk(tmp_path)

    def answer(job: Job) -> Outcome:
        for path in job.opt.rglob("*.py"):
            path.read_bytes()
        return ended()

    made = measure(an_order(tmp_path, "a.zip", "b.zip"), FakeLambda(answer), FakeProgress())
    assert made.reading is Reading.COLD


def test_one_run_that_read_from_memory_is_enough_to_say_so(tmp_path: Path) -> None:
    order = an_order(tmp_path, runs=3)
    with ExitStack() as held:

        def answer(job: Job) -> Outcome:
            file = held.enter_context((job.opt / "python/top.py").open("rb"))
            assert held.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[0]
            return ended()

        assert measure(order, FakeLambda(answer), FakeProgress()).reading is Reading.WARM


# --- measuring


def test_layers_take_turns_at_each_size_and_imports_come_first(tmp_path: Path) -> None:
    order = an_order(tmp_path, "a.zip", "b.zip")
    engine = FakeLambda(lambda job: ended())
    made = measure(order, engine, FakeProgress())
    seen = [(job.opt.name, (job.memory or 0) // MEGABYTE, job.invocations, job.env) for job in engine.jobs]
    turn: list[tuple[str, int, int, dict[str, str]]] = [
        ("a", 512, 2, {}),
        ("b", 512, 2, {}),
        ("a", 1769, 2, {}),
        ("b", 1769, 2, {}),
    ]
    assert seen == [("a", 1769, 1, VARIABLE), ("b", 1769, 1, VARIABLE), *turn, *turn]
    assert {(job.memory, job.processors) for job in engine.jobs} == {
        (512 * MEGABYTE, 512 / 1769),
        (1769 * MEGABYTE, 1.0),
    }
    assert [(one.memory, one.subject, len(one.samples)) for one in made.series] == [
        (512, 0, 2),
        (512, 1, 2),
        (1769, 0, 2),
        (1769, 1, 2),
    ]


def test_imports_are_told_at_a_whole_processor_or_the_largest_size() -> None:
    assert nearest((3008, 512, 1769)) == 1769
    assert nearest((256, 512)) == 512


@pytest.mark.parametrize(
    ("facts", "trouble"),
    [({"status": -9, "out_of_memory": True}, NO_MEMORY), ({"status": -9, "timed_out": True}, NO_TIME)],
)
def test_a_size_that_does_not_fit_is_a_result_and_not_run_again(
    tmp_path: Path, facts: dict[str, Any], trouble: str
) -> None:
    small = 512 * MEGABYTE

    def answer(job: Job) -> Outcome:
        return ended(**facts) if job.memory == small else ended(output=IMPORTED)

    engine, progress = FakeLambda(answer), FakeProgress()
    made = measure(an_order(tmp_path, runs=3), engine, progress)
    few, many = made.series
    assert (few.trouble, few.samples) == (trouble, ())
    assert (many.trouble, len(many.samples)) == ("", 3)
    assert sum(job.memory == small for job in engine.jobs) == 1
    assert progress.lines[0] == f"run 1 of 3: 512 MB {trouble}, 1,769 MB 100 ms"


def test_imports_that_find_no_memory_are_left_out(tmp_path: Path) -> None:
    engine = FakeLambda(lambda job: ended(status=-9, out_of_memory=True))
    made = measure(an_order(tmp_path, memories=(128,)), engine, FakeProgress())
    assert made.imports == ((),)
    assert len(engine.jobs) == 2


def test_nothing_is_said_of_rounds_in_which_nothing_runs(tmp_path: Path) -> None:
    engine = FakeLambda(lambda job: ended(status=-9, out_of_memory=True))
    measure(an_order(tmp_path, runs=5), engine, progress := FakeProgress())
    assert progress.lines == [f"run 1 of 5: 512 MB {NO_MEMORY}, 1,769 MB {NO_MEMORY}"]


def failing(folder: Path, output: str, *, status: int = 1, function: Function | None = None) -> VerificationError:
    """The error of a measurement whose function ends with this output."""
    order = replace(an_order(folder), function=function or of_imports(["top"]))
    engine = FakeLambda(lambda job: ended(status=status, output=output))
    with pytest.raises(VerificationError) as caught:
        measure(order, engine, FakeProgress())
    assert len(engine.jobs) == 1
    return caught.value


def test_a_layer_that_does_not_import_ends_the_measurement_with_its_words(tmp_path: Path) -> None:
    own = '  File "/var/task/sandbox_handler.py", line 38, in execute\n    exec(code)\n    ~~~~^^^^^^\n'
    init = '  File "init.txt", line 1, in <module>\n    import top\n'
    frame = '  File "/opt/python/top.py", line 1, in <module>\n    import absent\n'
    error = "ModuleNotFoundError: No module named 'absent'"
    output = f"{IMPORTED}Traceback (most recent call last):\n{own}{init}{frame}{error}\n"
    caught = failing(tmp_path, output)
    assert caught.message == "with layer.zip the function fails in its init phase"
    assert caught.details == ("Traceback (most recent call last):", *frame.splitlines(), error)
    assert "--import" in caught.hint


def test_a_crash_is_told_with_its_signal_and_the_innermost_calls(tmp_path: Path) -> None:
    inner = "".join(f'  File "/opt/python/top.py", line {number} in f\n' for number in range(9))
    own = '  File "program.txt", line 3 in <module>\n  File "/var/task/sandbox_handler.py", line 38 in execute\n'
    outer = '  File "/var/runtime/x.py", line 1 in y\n' * 20
    head = "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call first):\n"
    caught = failing(tmp_path, f"said before\n{head}{inner}{own}{outer}", status=-11)
    assert caught.message == "with layer.zip the function fails when it is invoked, by SIGSEGV"
    assert caught.details == tuple(f"{head}{inner}".splitlines())


def test_a_function_that_ends_its_process_is_not_said_to_fail_in_a_phase(tmp_path: Path) -> None:
    assert failing(tmp_path, "bye\n", status=3).message == "with layer.zip the function ends by itself, as by sys.exit"
    assert failing(tmp_path, "bye\n", status=-15).message == "with layer.zip the function is ended, by SIGTERM"


def test_a_fault_of_ones_own_handler_points_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("")
    caught = failing(tmp_path, 'File "init.txt"', function=of_file(tmp_path / "app.py"))
    assert caught.hint.startswith("mend app.py; ")


def test_what_an_invocation_imports_is_not_told_of_the_init_phase(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("")
    order = replace(an_order(tmp_path, runs=1), function=of_file(tmp_path / "app.py"))
    engine = FakeLambda(lambda job: ended())
    measure(order, engine, FakeProgress())
    assert [bool(job.program) for job in engine.jobs] == [False, True, True]


# --- the result as data, and as a picture


def data_of(folder: Path, *names: str) -> dict[str, Any]:
    def answer(job: Job) -> Outcome:
        slow = 4.0 if job.opt.name == "b" else 1.0
        if (job.memory, job.opt.name) == (512 * MEGABYTE, "b"):
            return ended(status=-9, out_of_memory=True)
        return ended(100.0 * slow, output=IMPORTED)

    order = an_order(folder, *names)
    made = measure(order, FakeLambda(answer), FakeProgress())
    return as_data(order, made, prices(Arch.X86_64), None, {"image": "image", "warnings": []})


def test_the_data_is_what_the_page_reads(tmp_path: Path) -> None:
    text = json.dumps(data_of(tmp_path, "a.zip", "b.zip"))
    read = read_coldstart(text)
    assert read.sha256 == "digest of a.zip"
    assert [(node.name, node.total_us, node.bytes) for node in read.imports] == [("top", 75, 600), ("other", 5, 0)]
    assert [(one.layer, one.memory_mb, one.init_ms) for one in (*read.runs, *read.against)] == [
        ("a.zip", 512, (100.0, 100.0)),
        ("a.zip", 1769, (100.0, 100.0)),
        ("b.zip", 1769, (400.0, 400.0)),
    ]


def test_what_was_measured_with_other_variables_is_not_the_same_measurement(tmp_path: Path) -> None:
    data = data_of(tmp_path, "a.zip", "b.zip")
    plain = read_coldstart(json.dumps(data))
    given = read_coldstart(json.dumps(data | {"env": {"PYTHON_LAZY_IMPORTS": "all"}}))
    assert (plain.against_sha256, given.against_sha256) == ("digest of b.zip", "")
    assert json.loads(given.function) == json.loads(plain.function) | {"env": {"PYTHON_LAZY_IMPORTS": "all"}}
    assert {one.layer for one in given.runs} == {"a.zip with PYTHON_LAZY_IMPORTS=all"}
    both = data | {"env": {"A": "1"}, "against": data["against"] | {"env": {"A": "1"}}}
    assert read_coldstart(json.dumps(both)).against_sha256 == "digest of b.zip"
    of_old = {name: value for name, value in data.items() if name != "env"}
    assert read_coldstart(json.dumps(of_old)) == plain


def test_the_data_compares_size_by_size(tmp_path: Path) -> None:
    data = data_of(tmp_path, "a.zip", "b.zip")
    few, many = data["ratios"]
    assert (few["memory_mb"], few["init_ms"]) == (512, None)
    assert (many["memory_mb"], many["init_ms"], many["peak_memory"]) == (1769, 0.25, 1.0)
    small = data["against"]["sizes"][0]
    assert (small["trouble"], small["init_ms"], small["per_million"]) == (NO_MEMORY, None, None)


def test_times_are_told_to_the_microsecond(tmp_path: Path) -> None:
    order = an_order(tmp_path, memories=(1769,), runs=1)
    made = measure(order, FakeLambda(lambda job: ended(1 / 3)), FakeProgress())
    data = as_data(order, made, prices(Arch.X86_64), None, {})
    assert data["sizes"][0]["init_ms"] == {"median": 0.333, "min": 0.333, "max": 0.333, "all": [0.333]}


def test_one_layer_alone_is_compared_with_nothing(tmp_path: Path) -> None:
    assert not {"against", "ratios"} & data_of(tmp_path).keys()


def test_zips_of_the_same_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    pair = [a_subject(tmp_path / name, "layer.zip") for name in ("old", "new")]
    assert subject_names(pair) == (str(tmp_path / "old/layer.zip"), str(tmp_path / "new/layer.zip"))
    assert subject_names(pair[:1]) == ("layer.zip",)


def test_the_same_figures_give_the_same_picture(tmp_path: Path) -> None:
    data = data_of(tmp_path, "a.zip", "b.zip")
    first, second = (plot.draw(data, "svg") for _ in range(2))
    assert first == second
    assert first.startswith(b"<?xml")


def test_a_picture_may_be_a_png_even_where_nothing_ran(tmp_path: Path) -> None:
    order = an_order(tmp_path, memories=(128,))
    made = measure(order, FakeLambda(lambda job: ended(status=-9, out_of_memory=True)), FakeProgress())
    data = as_data(order, made, prices(Arch.X86_64), None, {"image": "image"})
    assert plot.draw(data, "png").startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["_hidden.zip", "a$\\frac$b$.zip", "層.zip", "long" * 100 + ".zip"])
def test_a_zip_of_any_name_can_be_drawn(tmp_path: Path, name: str) -> None:
    data = {**data_of(tmp_path, "a.zip", "b.zip"), "zip": name}
    assert len(plot.draw(data, "svg")) > 1000


def test_the_legend_tells_layers_of_one_name_apart_and_shortens_long_ones() -> None:
    assert plot._names([{"zip": "layer.zip"}, {"zip": "layer.zip"}]) == ["layer.zip", "layer.zip (the other)"]
    [long] = plot._names([{"zip": "n" * 400 + ".zip"}])
    assert len(long) <= 81
    assert long.endswith(".zip")


def test_each_layers_function_has_the_variables_that_belong_to_the_layer(tmp_path: Path) -> None:
    order = an_order(tmp_path, "a.zip", "b.zip", memories=(512,), runs=1)
    first, second = order.subjects
    order = replace(order, subjects=(replace(first, env={"DEMO_DATA": "/opt/share/demo"}), second))
    engine = FakeLambda(lambda job: ended())
    measure(order, engine, FakeProgress())
    own = {"DEMO_DATA": "/opt/share/demo"}
    assert [job.env for job in engine.jobs] == [{**own, **VARIABLE}, VARIABLE, own, {}]
