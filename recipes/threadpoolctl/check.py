"""What a function expects of threadpoolctl: it finds the libraries of the process, and is heard where it can be."""

import importlib.metadata

import threadpoolctl


def main() -> None:
    assert threadpoolctl.__version__ == importlib.metadata.version("threadpoolctl")
    # Which pools there are depends on what else has been imported; each says how many threads it takes.
    before = threads()
    with threadpoolctl.threadpool_limits(limits=1):
        assert all(number == 1 for number in threads())
    assert threads() == before
    controller = threadpoolctl.ThreadpoolController()
    assert len(controller.info()) == len(before)
    assert controller.select(user_api="no such interface").info() == []


def threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]


main()
