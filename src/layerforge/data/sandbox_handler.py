"""The function that stands in the sandbox: runs a program as Lambda would run it. Python 3.10 to 3.14.

Beside it lie two texts: ``init.txt`` is run while the module is loaded, which is Lambda's init phase, and
``program.txt`` at the invocation. Everything they print goes to standard output, after a line that says where it
begins and before one that says where it ends.
"""

import faulthandler
import os
import resource
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

BEGIN = "layerforge-sandbox: begin"
END = "layerforge-sandbox: end"

# The emulator writes its own log to standard error.
os.dup2(1, 2)
faulthandler.enable(1)
print("\n" + BEGIN, flush=True)

HERE = Path(__file__).parent
CLIENT = sys.modules["__main__"]
"""Kept alive, since the program takes its name."""
MAIN = sys.modules["__main__"] = ModuleType("__main__")


def execute(name: str) -> int:
    """Runs a text as the main program, and gives the status that a process would end with."""
    try:
        code = compile((HERE / name).read_text("utf-8"), name, "exec", dont_inherit=True)
        exec(code, vars(MAIN))  # noqa: S102
    except SystemExit as end:
        return status(end.code)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def status(code: object) -> int:
    """What ``sys.exit(code)`` makes of its argument."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def peak_memory() -> int:
    """Most bytes that this process has held at once, or one of its children where that is more."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) * 1024


STARTED = execute("init.txt")


def handler(event: object, context: object) -> dict[str, Any]:  # noqa: ARG001
    """The invocation."""
    ended = STARTED or execute("program.txt")
    sys.stdout.flush()
    print("\n" + END, flush=True)
    return {"status": ended, "peak_memory": peak_memory()}
