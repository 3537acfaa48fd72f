"""The function that stands in the sandbox: runs a program as Lambda would run it. Python 3.10 to 3.15.

Beside it lie two texts: ``init.txt`` is run while the module is loaded, which is Lambda's init phase, and
``program.txt`` at each invocation, with Lambda's own context as ``CONTEXT``. Everything they print goes to standard
output, after a line that says where it begins and before one that says where an invocation ends. Where this module does
not lie at ``/var/task`` itself, a function's own code does, and modules are looked for there.
"""

import faulthandler
import os
import resource
import sys
import time
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
TASK = "/var/task"
if str(HERE) != TASK:
    sys.path[sys.path.index(str(HERE))] = os.environ["LAMBDA_TASK_ROOT"] = TASK
CLIENT = sys.modules["__main__"]
"""Kept alive, since the program takes its name."""
MAIN = sys.modules["__main__"] = ModuleType("__main__")


def execute(name: str) -> tuple[int, float]:
    """Runs a text as the main program: the status that a process would end with, and milliseconds by the clock."""
    ended, started = 0, time.perf_counter()
    try:
        code = compile((HERE / name).read_text("utf-8"), name, "exec", dont_inherit=True)
        started = time.perf_counter()
        exec(code, vars(MAIN))  # noqa: S102
    except SystemExit as end:
        # Whatever it says: a function that ends by itself has not come up, or gives no answer.
        ended = status(end.code) or 1
    except BaseException:
        traceback.print_exc()
        ended = 1
    return ended, 1000 * (time.perf_counter() - started)


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


STARTED, _ = execute("init.txt")
INIT_CPU_MS = 1000 * time.process_time()


def handler(event: object, context: object) -> dict[str, Any]:  # noqa: ARG001
    """The invocation."""
    vars(MAIN)["CONTEXT"] = context
    ended, taken = (STARTED, 0.0) if STARTED else execute("program.txt")
    sys.stdout.flush()
    print("\n" + END, flush=True)
    return {"status": ended, "peak_memory": peak_memory(), "milliseconds": taken, "init_cpu_ms": INIT_CPU_MS}
