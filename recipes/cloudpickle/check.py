"""What a function expects of cloudpickle: functions and classes that no module holds survive being sent."""

import importlib.metadata
import pickle

import cloudpickle


def main() -> None:
    assert cloudpickle.__version__ == importlib.metadata.version("cloudpickle")
    factor = 3
    assert sent(lambda number: factor * number)(14) == 42
    shape = sent(local_class())
    assert shape(2).area() == 4
    assert sent(pickle.loads) is pickle.loads


def local_class() -> type:
    class Square:
        def __init__(self, side: int) -> None:
            self.side = side

        def area(self) -> int:
            return self.side**2

    return Square


def sent(value: object) -> object:
    return pickle.loads(cloudpickle.dumps(value))  # noqa: S301 - our own bytes


main()
