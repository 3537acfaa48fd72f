"""What a function expects of scikit-learn: models train, predict and survive being saved."""

import importlib.metadata
import pickle
import tempfile
from collections.abc import Iterable
from pathlib import Path

import joblib
import numpy as np
import sklearn
from scipy.spatial import distance
from sklearn.cluster import DBSCAN, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_blobs
from sklearn.decomposition import NMF, PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import Lasso, LogisticRegression, Ridge, SGDClassifier
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score, pairwise_distances, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier


def main() -> None:
    versions()
    classifiers()
    regressors()
    clusters()
    reductions()
    text_and_tables()
    searches()
    saved_models()


def versions() -> None:
    assert sklearn.__version__ == importlib.metadata.version("scikit-learn")
    # Printing an estimator in a notebook or a log reads files that lie beside the modules.
    assert "LogisticRegression" in LogisticRegression()._repr_html_()


def classifiers() -> None:
    x, y = load_iris(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, stratify=y, random_state=0)
    models = (
        RandomForestClassifier(n_estimators=30, n_jobs=2, random_state=0),
        GradientBoostingClassifier(n_estimators=20, random_state=0),
        HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=5, random_state=0),
        DecisionTreeClassifier(random_state=0),
        KNeighborsClassifier(),
        GaussianNB(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(), SVC()),
        make_pipeline(StandardScaler(), LinearSVC(random_state=0)),
        make_pipeline(StandardScaler(), SGDClassifier(random_state=0)),
        make_pipeline(StandardScaler(), MLPClassifier(solver="lbfgs", max_iter=300, random_state=0)),
    )
    for model in models:
        score = model.fit(x_train, y_train).score(x_test, y_test)
        assert score > 0.85, f"{model} scores {score:.3f} on iris"
    first = LogisticRegression().fit(x_train[y_train < 2], y_train[y_train < 2])
    assert roc_auc_score(y_test[y_test < 2], first.predict_proba(x_test[y_test < 2])[:, 1]) == 1.0


def regressors() -> None:
    x, y = load_diabetes(return_X_y=True)
    assert np.isclose(Ridge(alpha=1e-9).fit(x, y).score(x, y), 0.5177484222203499)
    assert 0 < np.count_nonzero(Lasso(alpha=1.0).fit(x, y).coef_) < 10
    grid = np.linspace(0.0, 3.0, 15)[:, None]
    guess = GaussianProcessRegressor(optimizer=None).fit(grid, np.sin(grid[:, 0]))
    assert np.allclose(guess.predict([[1.05]]), np.sin(1.05), atol=1e-3)


def clusters() -> None:
    x, y = make_blobs(n_samples=300, centers=4, cluster_std=0.5, random_state=0)
    found = KMeans(n_clusters=4, n_init=5, random_state=0).fit_predict(x)
    assert adjusted_rand_score(y, found) > 0.9
    assert len(set(DBSCAN(eps=0.8).fit_predict(x)) - {-1}) in {3, 4}
    far = IsolationForest(n_estimators=50, random_state=0).fit(x).predict([[100.0, 100.0]])
    assert far.tolist() == [-1]


def reductions() -> None:
    x, _ = load_digits(return_X_y=True)
    assert 0.7 < PCA(n_components=13, random_state=0).fit(x).explained_variance_ratio_.sum() < 0.85
    assert NMF(n_components=5, max_iter=50, tol=1e-2, random_state=0).fit_transform(x[:200]).shape == (200, 5)
    assert TSNE(perplexity=5, max_iter=250, random_state=0).fit_transform(x[:40]).shape == (40, 2)
    distances = pairwise_distances(x[:50], n_jobs=1)
    assert np.allclose(distances, distance.cdist(x[:50], x[:50]), atol=1e-6)


def text_and_tables() -> None:
    words = ["the cat sat", "a dog barked", "the cat purred", "dogs bark", "cat and kitten", "the dog ran"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=100.0)).fit(words, [0, 1, 0, 1, 0, 1])
    assert model.predict(["my cat", "your dog"]).tolist() == [0, 1]
    rows = np.array([["red", 1.0], ["blue", 2.0], ["red", 3.0]], dtype=object)
    columns = ColumnTransformer([("colour", OneHotEncoder(), [0]), ("size", StandardScaler(), [1])])
    assert columns.fit_transform(rows).shape == (3, 3)


def searches() -> None:
    x, y = load_iris(return_X_y=True)
    assert cross_val_score(GaussianNB(), x, y, cv=5).mean() > 0.93
    search = GridSearchCV(SVC(), {"C": [0.01, 1.0]}, cv=3).fit(x, y)
    assert search.best_params_ == {"C": 1.0}


def saved_models() -> None:
    x, y = load_iris(return_X_y=True)
    models = (RandomForestClassifier(n_estimators=10, random_state=0), SVC(), LogisticRegression(max_iter=1000))
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            file = Path(folder) / f"{type(model).__name__}.joblib"
            joblib.dump(model.fit(x, y), file, compress=3)
            copies = (joblib.load(file), pickle.loads(pickle.dumps(model)))  # noqa: S301 - our own bytes
            agree(model.predict(x), (copy.predict(x) for copy in copies))


def agree(wanted: np.ndarray, others: Iterable[np.ndarray]) -> None:
    assert all(np.array_equal(wanted, other) for other in others)


main()
