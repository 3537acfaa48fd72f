"""What only the first fit pays for: the search for libraries with threads, and a solver's first call.

Estimators are fitted where the function has loaded them, and draw no random number.
"""

import sys

import numpy as np


def main() -> None:
    x = np.linspace(0.0, 1.0, 24).reshape(12, 2)
    y = np.arange(12) % 2
    fit("sklearn.cluster", "KMeans", x, y, n_clusters=2, init=x[:2], n_init=1)
    fit("sklearn.linear_model", "LogisticRegression", x, y)


def fit(module: str, name: str, x: np.ndarray, y: np.ndarray, **settings: object) -> None:
    """Fits an estimator and predicts with it, if its module is loaded."""
    if module in sys.modules:
        getattr(sys.modules[module], name)(**settings).fit(x, y).predict(x)


main()
