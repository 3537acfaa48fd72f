"""What is planned on a machine that runs nothing has the keys of the machines that do."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from docker import DockerClient

from builders import IMAGE
from fakes import FakeProgress, target
from layerforge.build.container.docker_engine import DockerEngine
from layerforge.build.elsewhere import Elsewhere
from layerforge.build.engine import Builder, Engine, Job, Task
from layerforge.build.errors import ClusterError
from layerforge.build.plan import Toolchain, plan
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Compression
from layerforge.verify import verifying

HERE = Elsewhere(image=IMAGE)
THERE = DockerEngine(client=cast("DockerClient", None), image=IMAGE)
"""What a worker with the same image runs layers in."""


def test_a_verdict_of_the_workers_engine_is_found() -> None:
    spec = LayerSpec(name="demo", requires=("demo",))
    planned = plan(spec, target(), (), Compression.FAST, None, 0, Toolchain(image=HERE.image, build_pins={}))
    assert verifying.about(planned, "a" * 64, HERE) == verifying.about(planned, "a" * 64, THERE)
    assert HERE.has_runtime_packages == THERE.has_runtime_packages


def test_it_is_an_engine_and_a_builder_that_runs_nothing(tmp_path: Path) -> None:
    engine: Engine = HERE
    builder: Builder = HERE
    assert engine.refusal(target()) == "it is run on the cluster alone"
    with pytest.raises(ClusterError, match="a layer for py313-x86_64 was to be run on this machine"):
        engine.run(Job(target=target(), opt=tmp_path, program="", timeout=1))
    task = Task(name="a", argv=(), env={}, mounts=(), workdir="/", log=tmp_path / "log", memory=1, timeout=1)
    with pytest.raises(ClusterError, match="a was to be run on this machine") as error:
        builder.perform(task, lambda _line: None)
    assert "--cluster" in error.value.hint
    with pytest.raises(ClusterError, match="/var/lang was to be copied"):
        builder.copy_out("/var/lang", tmp_path / "out")
    builder.stop()


def test_an_image_with_more_packages_is_not_planned_with_and_the_way_out_is_named() -> None:
    with pytest.raises(ClusterError, match="installed into the image first: cmake, ninja") as error:
        HERE.equipped(("cmake", "ninja"), FakeProgress())
    assert "a machine with a container engine and that image" in error.value.hint
    assert HERE.equipped((), FakeProgress()) == HERE
