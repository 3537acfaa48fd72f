"""A place in S3 as moto's server answers over HTTP, in its own process, and a proxy before it that breaks calls."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import boto3.session

from aws.proxy import Fault, Proxy, proxied

BUCKET = "layers"
STORE = f"s3://{BUCKET}/bench"
_MOTO = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""
_CALLS = ("GetObject", "PutObject", "HeadObject")


@contextmanager
def served() -> Iterator[Proxy]:
    """An empty bucket, which is all that boto3 finds in this process and in those that it starts."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    known = {"ACCESS_KEY_ID": "AKIAEXAMPLE", "SECRET_ACCESS_KEY": "very-secret", "REGION": "us-east-1"}
    known |= {"EC2_METADATA_DISABLED": "true", "CONFIG_FILE": "/none", "SHARED_CREDENTIALS_FILE": "/none"}
    os.environ |= {f"AWS_{name}": value for name, value in known.items()}
    argv, pipe = [sys.executable, "-c", _MOTO], subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as moto:
        assert moto.stdout is not None, "it is a pipe"
        host, port = moto.stdout.readline().decode().split()
        try:
            with proxied(f"http://{host}:{port}") as proxy:
                os.environ["AWS_ENDPOINT_URL"] = proxy.url
                boto3.session.Session().client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
                yield proxy
        finally:
            moto.kill()
            os.environ.clear()
            os.environ |= before


def broken(proxy: Proxy, kind: str, chance: random.Random) -> None:
    """Breaks some of the calls that come next."""
    call, times = chance.choice(_CALLS), chance.randrange(1, 12)
    match kind:
        case "error":
            status, code = chance.choice([(500, "InternalError"), (503, "SlowDown")])
            proxy.fault(Fault(call=call, times=times, status=status, code=code))
        case "slow":
            proxy.fault(Fault(call=call, times=times, late=chance.uniform(0.5, 3)))
        case "cut":
            # What was done all the same, and whose answer never came.
            proxy.fault(Fault(call=call, times=times, lost=True))
