"""Lines for Zappa and Chalice."""

from __future__ import annotations

from layerforge.publish.snippets.quoting import by_region, json_text
from layerforge.publish.snippets.results import PublishedVersion, variables


def zappa(versions: tuple[PublishedVersion, ...]) -> str:
    """For ``zappa_settings.json``: a stage, which has one Region, for each of them."""
    env, regions = variables(versions), by_region(versions)
    stages = {
        "dev" if len(regions) == 1 else region.replace("-", "_"): {
            "aws_region": region,
            "layers": [one.arn for one in several],
            **({"aws_environment_variables": env} if env else {}),
        }
        for region, several in regions.items()
    }
    return json_text(stages)


def chalice(versions: tuple[PublishedVersion, ...]) -> str:
    """For ``.chalice/config.json``: the layers of every stage, or a stage for each Region, which it is called after."""
    regions = {region: {"layers": [one.arn for one in several]} for region, several in by_region(versions).items()}
    env = variables(versions)
    own = {"environment_variables": env} if env else {}
    return json_text({**(next(iter(regions.values())) if len(regions) == 1 else {"stages": regions}), **own})
