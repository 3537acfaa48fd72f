"""Starts the image's own entry point with a function, invokes it once, and writes what came of it to standard error.

It runs in the sandbox itself, which has no network. Takes the handler and the file of the event. What it writes is one
line of JSON behind a marker: ``status`` and ``answer`` of the emulator, and ``peak_memory``, the most bytes that the
function's process held, which is null where it has ended. Standard library only, Python 3.10 to 3.15.
"""

import http.client
import json
import os
import subprocess  # noqa: TID251
import sys
import time
from contextlib import suppress
from typing import Any

MARKER = "layerforge-function: "
PATH = "/2015-03-31/functions/function/invocations"


def main() -> int:
    """Status 0 where there was an answer, whatever it says; 70 where the emulator did not come up."""
    with open(sys.argv[2], "rb") as file:
        event = file.read()
    emulator = subprocess.Popen(["/lambda-entrypoint.sh", sys.argv[1]])
    while emulator.poll() is None:
        try:
            answer = invoke(event)
        except ConnectionRefusedError:
            time.sleep(0.02)
            continue
        answer["peak_memory"] = peak_memory(emulator.pid)
        print("\n" + MARKER + json.dumps(answer), file=sys.stderr, flush=True)
        return 0
    return 70


def invoke(event: bytes) -> dict[str, Any]:
    """Status and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    connection.request("POST", PATH, body=event)
    response = connection.getresponse()
    return {"status": response.status, "answer": response.read().decode("utf-8", "replace")}


def peak_memory(emulator: int) -> "int | None":
    """Most bytes that a process below the emulator has held; ``None`` where there is none any more."""
    held = []
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdecimal() and int(name) not in {1, os.getpid(), emulator}:
            with suppress(OSError), open(f"/proc/{name}/status", encoding="utf-8") as file:
                held += [1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM:")]
    return max(held, default=None)


if __name__ == "__main__":
    sys.exit(main())
