from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow now and then, and no example is wrong for that.
settings.register_profile("layerforge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("layerforge")


SLOW = {
    "test_archive.py",
    "test_aws_region.py",
    "test_benchmarks.py",
    "test_build_environments.py",
    "test_cluster_addresses.py",
    "test_cluster_runs.py",
    "test_clusters_of_others.py",
    "test_coldstart_command.py",
    "test_compiler.py",
    "test_container.py",
    "test_diff.py",
    "test_doctor_command.py",
    "test_filing.py",
    "test_git.py",
    "test_guarded.py",
    "test_host.py",
    "test_host_function.py",
    "test_https.py",
    "test_interpreters.py",
    "test_interrupts.py",
    "test_layerforge_suite.py",
    "test_objects.py",
    "test_process.py",
    "test_publish_arguments.py",
    "test_pyc.py",
    "test_run_command.py",
    "test_scm_versions.py",
    "test_source_archive.py",
    "test_startup.py",
    "test_store_places.py",
    "test_suite.py",
    "test_verify.py",
}
"""Unit tests that start programs, load what takes seconds, or try hundreds of examples."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the unit tests that need neither an index nor programs: ``pytest -m quick``."""
    unit = Path(__file__).parent / "unit"
    for item in items:
        if (
            unit in item.path.parents
            and item.path.name not in SLOW
            and "index" not in getattr(item, "fixturenames", ())
        ):
            item.add_marker(pytest.mark.quick)


def pytest_configure() -> None:
    # A shell's background jobs start with Ctrl-C ignored, and so would every program that the tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that uv takes as its only index, with a cache of its own."""
    folder = tmp_path / "index"
    folder.mkdir()
    config = tmp_path / "uv.toml"
    config.write_text(f'no-index = true\nfind-links = ["{folder}"]\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(config))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real", action="store_true", help="also build the large real layers; takes minutes")


@pytest.fixture
def real(request: pytest.FixtureRequest) -> None:
    """For tests that build large layers from the real index."""
    if not request.config.getoption("--real"):
        pytest.skip("takes minutes; run with --real")
