"""What a function's first fit and prediction do for the first time, with the estimators that are loaded."""

import sys

import numpy as np


def main() -> None:
    x = np.linspace(0.0, 1.0, 24).reshape(12, 2)
    y = np.arange(12) % 2
    for module, name in (("sklearn.linear_model", "LogisticRegression"), ("sklearn.preprocessing", "StandardScaler")):
        if module in sys.modules:
            getattr(sys.modules[module], name)().fit(x, y)


main()
