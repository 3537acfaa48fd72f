"""What a function expects of LightGBM: models are trained, saved, loaded and asked, on several threads."""

import importlib.metadata
import tempfile
from pathlib import Path

import lightgbm
import numpy as np

QUIET = {"verbosity": -1, "seed": 0, "deterministic": True, "num_threads": 2}


def main() -> None:
    assert lightgbm.__version__ == importlib.metadata.version("lightgbm")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5))
    classification(x, (x[:, 0] + x[:, 1] ** 2 > 0.5).astype(int))
    regression(x, 3.0 * x[:, 0] - x[:, 2])
    ranking(rng)


def classification(x: np.ndarray, y: np.ndarray) -> None:
    data = lightgbm.Dataset(x[:500], y[:500])
    model = lightgbm.train({"objective": "binary", **QUIET}, data, num_boost_round=50)
    assert np.mean((model.predict(x[500:]) > 0.5) == y[500:]) > 0.9
    assert model.feature_importance().argmax() in {0, 1}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.txt"
        model.save_model(file)
        again = lightgbm.Booster(model_file=file)
    assert np.allclose(again.predict(x), model.predict(x))
    assert np.allclose(lightgbm.Booster(model_str=model.model_to_string()).predict(x), model.predict(x))


def regression(x: np.ndarray, y: np.ndarray) -> None:
    told: dict[str, dict[str, list[float]]] = {}
    train, test = lightgbm.Dataset(x[:500], y[:500]), lightgbm.Dataset(x[500:], y[500:])
    model = lightgbm.train(
        {"objective": "regression", "metric": "l2", **QUIET},
        train,
        num_boost_round=200,
        valid_sets=[test],
        callbacks=[lightgbm.early_stopping(20, verbose=False), lightgbm.record_evaluation(told)],
    )
    assert model.best_score["valid_0"]["l2"] < 0.2 * y[500:].var()
    shares = model.predict(x[:20], pred_contrib=True)
    assert np.allclose(shares.sum(axis=1), model.predict(x[:20]))


def ranking(rng: np.random.Generator) -> None:
    x = rng.normal(size=(300, 3))
    grades = np.digitize(x[:, 0], [-0.5, 0.5])
    data = lightgbm.Dataset(x, grades, group=[30] * 10)
    model = lightgbm.train({"objective": "lambdarank", **QUIET}, data, num_boost_round=20)
    assert np.corrcoef(model.predict(x), x[:, 0])[0, 1] > 0.8


main()
