"""Puts the layers and the function on the path as Lambda does, then runs the runtime interface client.

Lies in /var/runtime, so that folder is on `sys.path` already.
"""

import os
import runpy
import sys

LAYERS = ["/opt/python/lib/python3.13/site-packages", "/opt/python"]

if "PYTHONPATH" not in os.environ:
    sys.path[:0] = LAYERS
    os.environ["PYTHONPATH"] = os.environ["LAMBDA_RUNTIME_DIR"]
sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
runpy.run_module("awslambdaric", run_name="__main__")
