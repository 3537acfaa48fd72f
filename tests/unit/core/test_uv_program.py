from __future__ import annotations

import subprocess
import sys
import textwrap


def test_threads_that_ask_first_and_at_the_same_time_all_get_it() -> None:
    script = """
        import threading
        from layerforge.core.uv_program import uv_program
        found, together = [], threading.Barrier(8)
        def ask():
            together.wait()
            found.append(uv_program())
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for one in threads: one.start()
        for one in threads: one.join()
        assert len(found) == 8 and len(set(found)) == 1, found
    """
    for _ in range(5):  # each with tables that nobody has filled
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
