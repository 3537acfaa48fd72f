"""What a function expects of Kiwi: constraints are solved, the strong ones before the weak."""

import importlib.metadata

import kiwisolver


def main() -> None:
    assert kiwisolver.__version__ == importlib.metadata.version("kiwisolver")
    left, right = kiwisolver.Variable("left"), kiwisolver.Variable("right")
    solver = kiwisolver.Solver()
    solver.addConstraint(right == 2 * left + 10)
    solver.addConstraint((left >= 20) | "strong")
    solver.addConstraint((right <= 30) | "weak")
    solver.updateVariables()
    assert (left.value(), right.value()) == (20.0, 50.0)
    impossible = False
    try:
        solver.addConstraint(right == 2 * left + 11)
    except kiwisolver.UnsatisfiableConstraint:
        impossible = True
    assert impossible


main()
