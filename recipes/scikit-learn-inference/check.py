"""What is promised of the variant: models predict as they did where they were trained, and what is gone says so."""

import importlib.metadata
import pickle
from collections.abc import Callable

import numpy as np
import scipy
import scipy.optimize
import scipy.stats
import sklearn
from scipy.optimize import isotonic_regression, linprog
from scipy.sparse import csr_array
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.linear_model import LogisticRegression, QuantileRegressor, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, SplineTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier


def main() -> None:
    assert sklearn.__version__ == importlib.metadata.version("scikit-learn")
    assert scipy.__version__ == importlib.metadata.version("scipy")
    models_predict()
    groups_and_outliers_are_told()
    inputs_are_transformed()
    what_is_gone_says_so()


def models_predict() -> None:
    x = np.random.RandomState(0).randn(80, 4)
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    kinds = (
        AdaBoostClassifier(n_estimators=5, random_state=0),
        BernoulliNB(),
        CalibratedClassifierCV(LinearSVC(random_state=0), cv=2),
        DecisionTreeClassifier(max_depth=4, random_state=0),
        ExtraTreesClassifier(n_estimators=10, random_state=0),
        GaussianNB(),
        GradientBoostingClassifier(n_estimators=10, random_state=0),
        HistGradientBoostingClassifier(max_iter=10),
        KNeighborsClassifier(weights="distance"),
        LinearDiscriminantAnalysis(),
        LogisticRegression(),
        MLPClassifier(max_iter=300, random_state=0, solver="lbfgs"),
        SGDClassifier(random_state=0),
        StackingClassifier([("tree", DecisionTreeClassifier(max_depth=3)), ("bayes", GaussianNB())], cv=2),
        make_pipeline(StandardScaler(), PCA(4), SVC(kernel="rbf")),
        RandomForestClassifier(n_estimators=10, random_state=0),
    )
    for kind in kinds:
        model = kind.fit(x, y)
        copy = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
        assert copy.score(x, y) > 0.8, f"{kind} scores {copy.score(x, y)}"
        assert np.array_equal(copy.predict(x), model.predict(x))
    forest = kinds[-1]
    assert np.array_equal(forest.predict(csr_array(x)), forest.predict(x))
    guess = GaussianProcessRegressor(optimizer=None).fit(x[:20], x[:20, 0])
    assert np.allclose(guess.predict(x[:20]), x[:20, 0], atol=1e-3)


def groups_and_outliers_are_told() -> None:
    x = np.vstack([np.random.RandomState(1).randn(30, 2), np.random.RandomState(2).randn(30, 2) + 6])
    kinds = (
        GaussianMixture(2, random_state=0),
        IsolationForest(n_estimators=10, random_state=0),
        KMeans(2, n_init=1, random_state=0),
        LocalOutlierFactor(n_neighbors=5, novelty=True),
    )
    for kind in kinds:
        model = kind.fit(x)
        copy = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
        assert np.array_equal(copy.predict(x), model.predict(x))
        assert len(set(copy.predict(x))) == 2, f"{kind} says the same of all"


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
        lambda: isotonic_regression([2.0, 1.0]),
        lambda: linprog([1.0]),
        lambda: scipy.optimize.differential_evolution(sum, [(0, 1)]),
        lambda: scipy.optimize.milp([1.0]),
        lambda: scipy.io.mmread("x.mtx"),
        lambda: __import__("scipy.io.matlab"),
        lambda: scipy.integrate.solve_ivp(abs, (0, 1), [1.0]),
        lambda: scipy.signal.butter(2, 0.5),
        lambda: scipy.spatial.ConvexHull(np.eye(3)),
        lambda: scipy.stats.multivariate_normal(0.0),
        lambda: scipy.stats.qmc.Sobol(2),
        lambda: __import__("scipy.stats.sampling", fromlist=["NumericalInversePolynomial"]).NumericalInversePolynomial,
        lambda: __import__("sklearn.datasets", fromlist=["load_iris"]).load_iris(),
        fetches,
        lambda: np.f2py.compile(""),
    ):
        said = told_by(use)
        assert "left out of this layer" in said, said
        assert "scikit-learn-inference" in said, said


def fetches() -> None:
    from sklearn.datasets import fetch_california_housing

    fetch_california_housing()


def told_by(use: Callable[[], object]) -> str:
    try:
        use()
    except (AttributeError, ImportError) as error:
        return str(error)
    return "nothing, and it worked"


main()
