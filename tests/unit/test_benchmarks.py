import json
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import compare  # noqa: E402
import measure  # noqa: E402
import picture  # noqa: E402
import prune  # noqa: E402
import run  # noqa: E402
from compare import BESIDE, COLD, DEFAULT, GOALS, SMALLEST, TODAY, WARM, Facts, Goal, Layer, Results, Sample  # noqa: E402
from layerforge.build import interpreters  # noqa: E402
from layerforge.build.host import HostEngine  # noqa: E402
from layerforge.core import runtimes  # noqa: E402
from layerforge.resolve.catalogue import catalogue  # noqa: E402

LIMIT = 52_428_800
BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


def a_layer(key: str, *, zipped: int = 50_000_000, unzipped: int = 150_000_000, sha256: str = "") -> Layer:
    return Layer(key=key, zipped=zipped, unzipped=unzipped, files=3, sha256=sha256 or key)


def samples(*walls: float) -> tuple[Sample, ...]:
    return tuple(Sample(wall=wall, cpu=wall / 2) for wall in walls)


def some_results() -> Results:
    return Results(
        facts=Facts(
            target="scikit-learn",
            python="3.13",
            platform="x86_64-manylinux_2_34",
            imports=("sklearn.ensemble",),
            quick=False,
            cpus=2,
            load=0.1,
            zip="Info-ZIP zip 3.0",
            versions={"layerforge": "1", "uv": "2", "python": "3", "target_python": "4"},
            packages={"scikit-learn": "1.9.1"},
            commands={},
        ),
        builds={TODAY: samples(20, 22, 21), COLD: samples(5.4, 5, 8), WARM: samples(0.5, 0.42, 0.4)},
        layers=(
            a_layer(TODAY, zipped=60_000_000, unzipped=200_000_000),
            a_layer(DEFAULT, zipped=59_000_000, unzipped=180_000_000, sha256="same"),
            a_layer(BESIDE, zipped=59_000_000, unzipped=180_000_000, sha256="same"),
            a_layer(SMALLEST),
        ),
        imports={TODAY: (4.0, 4.2, 3.9), DEFAULT: (0.8, 0.5, 0.7), SMALLEST: (0.6, 0.6, 0.6)},
    )


def outcome(results: Results) -> dict[str, bool]:
    return {one.name: one.reached for one in compare.verdicts(results, GOALS["scikit-learn"])}


def test_a_spread_is_the_median_with_least_and_most() -> None:
    assert compare.spread([3, 1, 10]) == compare.Spread(median=3, low=1, high=10)
    assert compare.spread([4, 2]).median == 3


def test_ratios_compare_medians_so_one_slow_run_does_not_count() -> None:
    assert compare.build_ratio(some_results(), COLD) == pytest.approx(5.4 / 21)
    assert compare.build_ratio(some_results(), TODAY) == 1
    assert compare.import_ratio(some_results(), DEFAULT) == pytest.approx(0.7 / 4)


def test_a_layer_with_the_bytes_of_another_shares_its_import_time() -> None:
    assert compare.import_ratio(some_results(), BESIDE) == compare.import_ratio(some_results(), DEFAULT)
    assert [layer.key for layer in compare.distinct(some_results().layers)] == [TODAY, DEFAULT, SMALLEST]
    assert compare.same_bytes(some_results()) == ["layerforge, bytecode beside: the same bytes as layerforge"]


def test_every_goal_is_reached_by_good_numbers() -> None:
    assert set(outcome(some_results()).values()) == {True}
    assert len(outcome(some_results())) == 6


@pytest.mark.parametrize(
    ("harmed", "goal"),
    [
        (replace(some_results(), builds={**some_results().builds, COLD: samples(13)}), "wall time, first build"),
        (replace(some_results(), builds={**some_results().builds, WARM: samples(2.2)}), "wall time, built before"),
        (replace(some_results(), imports={**some_results().imports, DEFAULT: (1.8,)}), "import, default layer"),
        (replace(some_results(), imports={**some_results().imports, SMALLEST: (1.8,)}), "import, bytecode only"),
        (
            replace(some_results(), layers=(*some_results().layers[:3], a_layer(SMALLEST, zipped=LIMIT + 1))),
            "zipped, bytecode only + small",
        ),
        (
            replace(
                some_results(),
                layers=(a_layer(TODAY), a_layer(DEFAULT), a_layer(BESIDE, unzipped=186_000_001), a_layer(SMALLEST)),
                imports={**some_results().imports, BESIDE: (0.5,)},
            ),
            "unzipped, bytecode beside",
        ),
    ],
)
def test_one_bad_number_misses_its_goal_and_no_other(harmed: Results, goal: str) -> None:
    assert [name for name, reached in outcome(harmed).items() if not reached] == [goal]


def test_a_goal_is_reached_at_its_limit_and_an_aim_is_judged_apart() -> None:
    goal = Goal(name="n", value=lambda _: 0.6, unit=compare.TIMES, must=0.6, aim=0.4)
    [one] = compare.verdicts(some_results(), [goal])
    assert (one.reached, one.aim_reached) == (True, False)
    assert compare.verdict_rows([one]) == [("n", "0.60 ×", "≤ 0.60 × (aim 0.40 ×)", "yes, aim missed")]
    [without] = compare.verdicts(some_results(), [replace(goal, must=0.5, aim=None)])
    assert compare.verdict_rows([without]) == [("n", "0.60 ×", "≤ 0.50 ×", "NO")]


def test_table_rows_give_median_range_and_ratio_to_today() -> None:
    walls = compare.panels(some_results())[0]
    assert compare.table_rows(walls) == [
        ("uv + zip -9", "21.0 s", "20.0 s … 22.0 s", "1.00 ×"),
        ("layerforge, first build", "5.40 s", "5.00 s … 8.00 s", "0.26 ×"),
        ("layerforge, built before", "0.42 s", "0.40 s … 0.50 s", "0.020 ×"),
    ]


def test_sizes_have_no_range_and_the_limit_of_a_direct_upload_is_shown_with_the_zips() -> None:
    by_title = {panel.title: panel for panel in compare.panels(some_results())}
    zips = by_title["Size, zipped"]
    assert compare.table_rows(zips)[1] == ("layerforge", "59.0 MB", "", "0.98 ×")
    assert zips.limit == pytest.approx(52.4288)
    assert [title for title, panel in by_title.items() if panel.limit is not None] == ["Size, zipped"]


def test_processor_time_has_a_panel_of_its_own_that_the_picture_leaves_out() -> None:
    cpu = compare.panels(some_results())[run.NOT_IN_PICTURE]
    assert cpu.title == "Processor time to a finished zip"
    assert cpu.bars[0].spread.median == 10.5


def test_the_results_keep_every_raw_number_and_name_no_place_of_the_machine(tmp_path: Path) -> None:
    results = replace(some_results(), facts=replace(some_results().facts, commands=run.commands(a_setting())))
    run.write(tmp_path, results, compare.verdicts(results, GOALS["scikit-learn"]))
    text = (tmp_path / "results.json").read_text("utf-8")
    data = json.loads(text)
    assert [sample["wall"] for sample in data["builds"][COLD]] == [5.4, 5, 8]
    assert data["import_cpu_seconds"][TODAY] == [4.0, 4.2, 3.9]
    assert data["layers"][2]["same_bytes_as"] == DEFAULT
    assert [one["reached"] for one in data["goals"]] == [True] * 6
    for secret in (str(Path.home()), str(BENCHMARKS.parent), sys.executable):
        assert secret not in text


def test_another_target_does_not_overwrite_the_results_of_the_usual_one(tmp_path: Path) -> None:
    results = replace(some_results(), facts=replace(some_results().facts, target="pandas"))
    run.write(tmp_path, results, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"results-pandas.{end}" for end in ("json", "png", "svg")
    ]


def test_what_is_printed_keeps_its_last_column_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run.show(run.wide(), some_results(), compare.verdicts(some_results(), GOALS["scikit-learn"]))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith(" layerforge, first build") and line.endswith("0.26 ×") for line in lines)
    assert sum(line.endswith("yes, aim reached") for line in lines) == 1


def test_the_same_numbers_draw_the_same_picture(tmp_path: Path) -> None:
    for name in ("one", "two"):
        picture.draw("title", "subtitle", compare.panels(some_results()), tmp_path / name)
    for suffix in ("svg", "png"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()
    faster = replace(some_results(), builds={**some_results().builds, COLD: samples(4)})
    picture.draw("title", "subtitle", compare.panels(faster), tmp_path / "two")
    assert (tmp_path / "one.svg").read_bytes() != (tmp_path / "two.svg").read_bytes()


def a_setting(zip_program: str | None = "/bin/zip") -> measure.Setting:
    return measure.Setting(
        name="scikit-learn",
        lock=Path("/somewhere/requirements.lock"),
        target=runtimes.target("3.13", "x86_64"),
        zip_program=zip_program,
    )


def test_todays_way_checks_hashes_and_takes_wheels_for_lambda() -> None:
    words = run.commands(a_setting())[TODAY]
    assert "--python-version 3.13 --python-platform x86_64-manylinux_2_34 --only-binary :all: --require-hashes" in words
    assert words.endswith("-r LOCK && cd DIR && zip -9 -q -r layer.zip python")


def test_a_machine_without_zip_packs_at_level_nine_with_python_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "python" / "pkg").mkdir(parents=True)
    (tmp_path / "python" / "pkg" / "a.py").write_text("a = 1\n" * 500)
    argv = measure.zip_command(a_setting(None), tmp_path / "layer.zip")
    subprocess.run([str(word) for word in argv], cwd=tmp_path, check=True)
    layer = measure.weigh(TODAY, tmp_path / "layer.zip")
    assert (layer.files, layer.unzipped) == (1, 3000)
    assert layer.zipped == (tmp_path / "layer.zip").stat().st_size < 1000
    assert "has no zip" in measure.zip_version(None)


def test_what_would_change_a_measurement_does_not_reach_the_children(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "LAYERFORGE_CACHE", "UV_COMPILE_BYTECODE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "mirror")
    env = measure.environment(UV_OFFLINE="1")
    assert not [name for name in env if name.startswith("PYTHON")]
    assert "LAYERFORGE_CACHE" not in env
    assert "UV_COMPILE_BYTECODE" not in env
    assert (env["UV_DEFAULT_INDEX"], env["UV_OFFLINE"]) == ("mirror", "1")


def test_processor_time_of_grandchildren_counts(tmp_path: Path) -> None:
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}], check=True)"
    sample = measure.timed([sys.executable, "-c", nested], {}, measure.environment(), tmp_path)
    assert sample.cpu >= 0.3


def test_a_command_that_fails_stops_the_run_with_its_last_words(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import sys; sys.exit('no wheel for that')"]
    with pytest.raises(RuntimeError, match="no wheel for that"):
        measure.timed(argv, {}, measure.environment(), tmp_path)


def test_a_layer_is_unpacked_with_the_dates_of_its_entries(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "layer.zip", "w") as file:
        file.writestr(zipfile.ZipInfo("python/old.py", (1990, 5, 4, 3, 2, 0)), b"x = 1\n")
    measure.unpack_dated(tmp_path / "layer.zip", tmp_path / "opt")
    at = time.localtime((tmp_path / "opt/python/old.py").stat().st_mtime)
    assert at[:6] == (1990, 5, 4, 3, 2, 0)


def an_engine() -> HostEngine:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return HostEngine(interpreter=interpreters.find(version))


def importing(tmp_path: Path, name: str) -> float:
    return measure.import_cost(tmp_path, [name], runtimes.target("3.13", "x86_64"), an_engine()).cpu


def test_an_import_is_measured_without_writing_bytecode(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    (tmp_path / "python/slow.py").write_text(BURN + "\nprint('noise')\n")
    assert importing(tmp_path, "slow") >= 0.3
    assert [path.name for path in (tmp_path / "python").iterdir()] == ["slow.py"]


def test_an_import_never_sees_the_environment_that_measures(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    with pytest.raises(RuntimeError, match="No module named 'rich'"):
        importing(tmp_path, "rich")


def test_a_module_from_another_installation_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "elsewhere/site-packages"
    other.mkdir(parents=True)
    (other / "stray.py").write_text("")
    (tmp_path / "python").mkdir()
    (tmp_path / "python/leak.py").write_text(f"import sys\nsys.path.append({str(other)!r})\nimport stray\n")
    with pytest.raises(RuntimeError, match=r"came from outside the layer: stray|No module named 'stray'"):
        importing(tmp_path, "leak")


def test_every_recipe_has_something_to_import() -> None:
    for recipe in (one for one in catalogue().all() if one.layer):
        whole = catalogue().find(recipe.variant.of) if recipe.variant else recipe
        assert whole is not None
        tops = {word.split(".")[0] for word in whole.check.imports}
        assert {word.split(".")[0] for word in run.imports_of(recipe.name)} <= tops
        assert run.imports_of(recipe.name)
        assert measure.lock_of(recipe.name).is_file()


# --- prune


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("python/pkg/tests/data/a.json", "tests"),
        ("python/pkg/conftest.py", "tests"),
        ("python/pkg/a.pyi", "type stubs"),
        ("python/pkg/a.pyx.in", "C, Cython and Fortran sources"),
        ("python/pkg/a.dll", "other systems' programs"),
        ("python/pkg/a.py", ""),
        ("python/pkg-1.dist-info/tests/a.py", ""),
        ("bin/tests/a.py", ""),
    ],
)
def test_blanket_rules_go_by_names_alone(path: str, rule: str) -> None:
    assert prune.blanket_rule(path) == rule


def test_packages_of_the_count_are_named_once_and_are_a_hundred_or_more() -> None:
    assert len(set(prune.PACKAGES)) == len(prune.PACKAGES) >= 100


def test_totals_are_the_sums_of_the_packages() -> None:
    row = prune.Row(
        package="a",
        version="1",
        files=2,
        installed=30,
        saved=10,
        saved_by_rule={"tests": 10},
        left=5,
        left_by_reason={"named": 5},
        blanket=15,
        kept=5,
        kept_by_rule={"type stubs": 5},
        largest_kept=[("python/a.pyi", 5)],
        seconds=0.1,
    )
    data = prune.as_data([row, replace(row, package="b", saved_by_rule={"type stubs": 10})])
    assert (data["total"]["installed"], data["total"]["saved"], data["total"]["kept"]) == (60, 20, 10)
    assert data["total"]["saved_by_rule"] == {"tests": 10, "type stubs": 10}
    assert data["total"]["left_by_reason"] == {"named": 10}
    assert [one["package"] for one in data["packages"]] == ["a", "b"]


def test_the_results_that_are_kept_are_those_of_the_packages_that_are_counted() -> None:
    kept = json.loads((BENCHMARKS / "results" / "prune.json").read_text())
    assert [row["package"] for row in kept["packages"]] == list(prune.PACKAGES)
