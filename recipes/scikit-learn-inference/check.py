"""What is promised of the variant: models predict as they did where they were trained, and what is gone says so."""

import importlib.metadata
import pickle
from collections.abc import Callable

import numpy as np
import scipy
import scipy.optimize
import sklearn
from scipy.sparse import csr_array
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.linear_model import LogisticRegression, QuantileRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, SplineTransformer, StandardScaler
from sklearn.svm import SVC


def main() -> None:
    assert sklearn.__version__ == importlib.metadata.version("scikit-learn")
    assert scipy.__version__ == importlib.metadata.version("scipy")
    models_predict()
    inputs_are_transformed()
    what_is_gone_says_so()


def models_predict() -> None:
    x = np.random.RandomState(0).randn(80, 4)
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    kinds = (
        HistGradientBoostingClassifier(max_iter=10),
        KNeighborsClassifier(weights="distance"),
        LogisticRegression(),
        MLPClassifier(max_iter=300, random_state=0, solver="lbfgs"),
        RandomForestClassifier(n_estimators=10, random_state=0),
        make_pipeline(StandardScaler(), SVC(kernel="rbf")),
    )
    for kind in kinds:
        model = kind.fit(x, y)
        copy = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
        assert copy.score(x, y) > 0.8, f"{kind} scores {copy.score(x, y)}"
        assert np.array_equal(copy.predict(x), model.predict(x))
    forest = kinds[4]
    assert np.array_equal(forest.predict(csr_array(x)), forest.predict(x))
    guess = GaussianProcessRegressor(optimizer=None).fit(x[:20], x[:20, 0])
    assert np.allclose(guess.predict(x[:20]), x[:20, 0], atol=1e-3)


def inputs_are_transformed() -> None:
    x = np.linspace(0.0, 1.0, 60).reshape(-1, 2)
    normal = QuantileTransformer(n_quantiles=10, output_distribution="normal").fit_transform(x)
    assert abs(np.median(normal)) < 0.5
    columns = ColumnTransformer([("spline", SplineTransformer(), [0]), ("scale", StandardScaler(), [1])])
    assert np.isfinite(columns.fit_transform(x)).all()
    assert np.isfinite(PolynomialCountSketch(random_state=0).fit_transform(x)).all()


def what_is_gone_says_so() -> None:
    x = np.arange(6.0).reshape(-1, 1)
    for use in (
        lambda: QuantileRegressor().fit(x, x[:, 0]),
        lambda: scipy.optimize.milp([1.0]),
        lambda: __import__("scipy.io.matlab"),
        lambda: __import__("sklearn.datasets", fromlist=["load_iris"]).load_iris(),
    ):
        said = told_by(use)
        assert "left out of this layer" in said, said
        assert "scikit-learn-inference" in said, said


def told_by(use: Callable[[], object]) -> str:
    try:
        use()
    except (AttributeError, ImportError) as error:
        return str(error)
    return "nothing, and it worked"


main()
