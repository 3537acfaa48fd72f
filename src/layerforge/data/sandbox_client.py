"""Starts the image's own entry point, invokes the function over HTTP, and writes each answer to standard error.

It runs in the sandbox itself, which has no network. Takes the number of invocations, which come one after another.
Standard library only, Python 3.10 to 3.15.
"""

import http.client
import json
import subprocess  # noqa: TID251
import sys
import time

MARKER = "layerforge-sandbox: "
PATH = "/2015-03-31/functions/function/invocations"


def main() -> int:
    """Status 0 where there were answers, whatever they say; 70 where the emulator did not come up."""
    emulator = subprocess.Popen(["/lambda-entrypoint.sh", "sandbox_handler.handler"])
    left = int(sys.argv[1])
    while left and emulator.poll() is None:
        try:
            answer = invoke()
        except ConnectionRefusedError:
            time.sleep(0.02)
            continue
        print("\n" + MARKER + json.dumps(answer), file=sys.stderr, flush=True)
        left -= 1
    return 70 if left else 0


def invoke() -> str:
    """The body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    connection.request("POST", PATH, body=b"{}")
    return connection.getresponse().read().decode("utf-8", "replace")


if __name__ == "__main__":
    sys.exit(main())
