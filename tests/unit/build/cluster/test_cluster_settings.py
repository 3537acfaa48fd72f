from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.config
import distributed
import pytest
import yaml

from layerforge.build.cluster import settings

EXAMPLE = Path(__file__).parents[4] / "examples/cluster/dask.yaml"


@pytest.mark.parametrize("name", settings.SCHEDULER)
def test_the_example_sets_a_scheduler_as_layerforge_would(name: str) -> None:
    example: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    assert dask.config.get(name, config=example) == settings.SCHEDULER[name]
    assert dask.config.get("distributed.comm.require-encryption", config=example) is True


@pytest.mark.parametrize("name", [one for one in (*settings.SCHEDULER, *settings.PROCESS) if one != "logging"])
def test_every_setting_is_one_that_dask_knows(name: str) -> None:
    own: dict[str, Any] = yaml.safe_load(Path(distributed.__file__).with_name("distributed.yaml").read_text("utf-8"))
    assert dask.config.get(name, default="unknown", config=own) != "unknown"
