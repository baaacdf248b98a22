"""scikit-learn's tools (pipelines, searches, ensembles, plots) with a `CNNClassifier` inside."""

# ruff: noqa: N803, N806  (X is scikit-learn's name)

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_wine
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from convscope import CNNClassifier

WINE = load_wine(return_X_y=True)  # 178 wines of three classes, 13 columns of very different units


def small(**parameters):
    return CNNClassifier(**{"epochs": 10, "learning_rate": 0.01, "random_state": 0} | parameters)


@pytest.mark.parametrize("steps", [[], [StandardScaler()], [FunctionTransformer(lambda X: X - 8)]])
def test_a_pipeline_may_scale_or_shift_the_images(digits, steps):
    X_train, X_test, y_train, y_test = digits
    pipeline = make_pipeline(*steps, small(epochs=8)).fit(X_train, y_train)
    assert pipeline.score(X_test, y_test) > 0.96


def test_a_table_with_columns_of_very_different_units_needs_no_scaling():
    assert cross_val_score(small(), *WINE, cv=3).mean() > 0.93


@pytest.mark.slow
def test_cross_validation_gives_the_same_in_one_and_two_processes():
    serial, parallel = (cross_val_predict(small(), *WINE, cv=2, method="predict_proba", n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(serial, parallel)


def test_a_grid_search_in_two_processes_finds_the_learning_rate_that_learns(digits):
    X_train, X_test, y_train, y_test = digits
    search = GridSearchCV(small(), {"learning_rate": [1e-7, 0.01], "architecture": ["ann"]}, cv=2, n_jobs=2)
    search.fit(X_train[:500], y_train[:500])
    assert search.best_params_ == {"learning_rate": 0.01, "architecture": "ann"}
    assert search.score(X_test, y_test) > 0.85


def test_a_calibrated_classifier_keeps_the_names_of_classes():
    X, y = WINE
    names = np.array(["barolo", "grignolino", "barbera"])[y]
    calibrated = CalibratedClassifierCV(small(), cv=2).fit(X, names)
    assert calibrated.classes_.tolist() == ["barbera", "barolo", "grignolino"]
    assert log_loss(names, calibrated.predict_proba(X)) < 0.5


def test_a_notebook_shows_its_parameters_and_whether_it_is_fitted():
    assert "Not fitted" in small()._repr_html_()
    fitted_html = small().fit(*WINE)._repr_html_()
    assert "CNNClassifier" in fitted_html
    assert "Not fitted" not in fitted_html
    assert repr(small()) == "CNNClassifier(epochs=10, learning_rate=0.01, random_state=0)"
