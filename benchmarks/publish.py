"""Publishes to a local stand-in for AWS, moto's server in a process of its own.

What is timed goes there directly; what is counted goes through a proxy.

    python benchmarks/publish.py [--runs 3]

Prints the numbers as JSON. Exits 1 where a goal is missed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3.session
import click

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from aws.proxy import READS, Proxy, proxied

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1", "sa-east-1")
SMALL, LARGE = 45_000_000, 240_000_000
"""Bytes of the zips: one for direct uploads, one that goes through a bucket."""
MOST_RATIO, MOST_MEMORY = 2.5, 200_000_000

_SERVER = """
import sys, threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""
_ROOMY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
}
"""The stand-in holds every upload in memory several times over; half its time went to getting that from the kernel."""
_MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the command."""

    seconds: float
    peak: int
    """Most bytes that it held at once."""
    calls: Mapping[str, int]
    """By name."""

    @property
    def changes(self) -> int:
        """Calls that change something."""
        return sum(number for name, number in self.calls.items() if name not in READS)


@click.command()
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="Timed runs of each kind.")
def main(runs: int) -> None:
    """Time six Regions against one, count the calls of a second run, and weigh a large upload."""
    with tempfile.TemporaryDirectory(prefix="layerforge-bench-") as name, server() as moto, proxied(moto) as proxy:
        found = measure(Path(name), proxy, runs)
    click.echo(json.dumps(found, indent=1))
    goals: dict[str, dict[str, object]] = found["goals"]  # type: ignore[assignment]
    sys.exit(0 if all(goal["reached"] for goal in goals.values()) else 1)


def measure(folder: Path, proxy: Proxy, runs: int) -> dict[str, object]:
    """Every number."""
    small, large = a_layer(folder / "small.zip", SMALL), a_layer(folder / "large.zip", LARGE)
    direct = Proxy(upstream=proxy.upstream, url=proxy.upstream)
    publish(direct, small, REGIONS, "untimed")
    one, six = [], []
    for number in range(runs):
        one.append(publish(direct, small, REGIONS[:1], f"one-{number}"))
        six.append(publish(direct, small, REGIONS, f"six-{number}"))
    first = publish(proxy, small, REGIONS, "counted")
    again = publish(proxy, small, REGIONS, "counted")
    make_bucket(proxy)
    heavy = publish(proxy, large, REGIONS[:1], "large", "--bucket", "bench-{region}")
    ratio = statistics.median(run.seconds for run in six) / statistics.median(run.seconds for run in one)
    return {
        "zip_bytes": {"small": small.stat().st_size, "large": large.stat().st_size},
        "cpus": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "one_region_seconds": [round(run.seconds, 3) for run in one],
        "six_regions_seconds": [round(run.seconds, 3) for run in six],
        "six_regions_peak_bytes": max(run.peak for run in six),
        "first_run": {"calls": first.calls},
        "second_run": {"seconds": round(again.seconds, 3), "calls": again.calls},
        "large": {"seconds": round(heavy.seconds, 3), "peak_bytes": heavy.peak, "calls": heavy.calls},
        "goals": {
            "six Regions against one": {
                "measured": round(ratio, 2),
                "most": MOST_RATIO,
                "reached": ratio <= MOST_RATIO,
            },
            "changes of a second run": {"measured": again.changes, "most": 0, "reached": not again.changes},
            "peak bytes of a large zip": {
                "measured": heavy.peak,
                "most": MOST_MEMORY,
                "reached": heavy.peak <= MOST_MEMORY,
            },
        },
    }


def a_layer(path: Path, size: int) -> Path:
    """A layer of ``size`` bytes that do not compress, in files of a megabyte and less."""
    names = [f"python/pkg/data{number}.bin" for number in range(size // 1_000_000)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in ["python/pkg/__init__.py", *names]:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, os.urandom(1_000_000 - 250) if name in names else b"")
    return path


def publish(proxy: Proxy, path: Path, regions: Sequence[str], name: str, *more: str) -> Run:
    """Runs the command once."""
    proxy.reset()
    command = [sys.executable, "-m", "layerforge", "publish", str(path), "--name", name, *more]
    for region in regions:
        command += ["--region", region]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command],
        env=environment(proxy),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    if done.returncode:
        raise click.ClickException(done.stderr)
    return Run(seconds=seconds, peak=int(done.stdout) * 1024, calls=dict(proxy.names))


def environment(proxy: Proxy) -> dict[str, str]:
    """The environment of the command: no AWS but the proxy."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return {
        **kept,
        "AWS_ENDPOINT_URL": proxy.url,
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def make_bucket(proxy: Proxy) -> None:
    """The bucket for the large layer."""
    session = boto3.session.Session(aws_access_key_id="benchmark", aws_secret_access_key="benchmark")
    session.client("s3", region_name=REGIONS[0], endpoint_url=proxy.upstream).create_bucket(
        Bucket=f"bench-{REGIONS[0]}"
    )


@contextmanager
def server() -> Iterator[str]:
    """Address of a moto server that runs until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        env=os.environ | _ROOMY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        host, port = process.stdout.readline().split()
        urllib.request.urlopen(f"http://{host}:{port}/moto-api/data.json").close()
        try:
            yield f"http://{host}:{port}"
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
