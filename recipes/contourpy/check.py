"""What a function expects of ContourPy: lines and areas of equal height."""

import importlib.metadata

import contourpy
import numpy as np


def main() -> None:
    assert contourpy.__version__ == importlib.metadata.version("contourpy")
    x, y = np.meshgrid(np.linspace(-1.0, 1.0, 41), np.linspace(-1.0, 1.0, 41))
    for name in ("serial", "threaded"):
        generator = contourpy.contour_generator(x, y, np.hypot(x, y), name=name, line_type="Separate")
        (circle,) = generator.lines(0.5)
        assert np.allclose(np.hypot(*circle.T), 0.5, atol=2e-3), name
        assert np.array_equal(circle[0], circle[-1]), name
        (ring,), (holes,) = generator.filled(0.25, 0.75)
        assert len(ring) == holes[-1], name


main()
