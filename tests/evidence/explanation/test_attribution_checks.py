"""The checks of attributions against hand-worked curves, SciPy, and models of which the outcome is known."""

import numpy as np
import pytest
from scipy import stats

import convscope as cs
from convscope.architecture import Architecture, Dense, Flatten, Input
from convscope.base.records import decode, encode
from convscope.evidence.explanation.attribution_checks import area_under, perturbation_curves, rank_correlations
from convscope.evidence.explanation.attributions import METHODS


@pytest.fixture(scope="module")
def model(reader: cs.Model) -> cs.Model:
    return reader


def test_deletion_and_insertion_worked_by_hand():
    """logit 1 is the sum of 20 pixels: after s of 20 steps s are gone, and the probability is known."""
    architecture = Architecture(Input(4, 5, scale=0.1), (Flatten(), Dense(2)), "sum")
    weights = {"dense/kernel": np.array([[0.0, 1.0]] * 20), "dense/bias": np.zeros(2)}
    model = cs.Model(architecture, weights, ("a", "b"))
    images = np.full((1, 4, 5, 1), 10, np.uint8)
    order = np.random.default_rng(0).permutation(20)[None]
    deletion, insertion = perturbation_curves(model, images, np.array([1]), order, 0)
    left = np.arange(20, -1, -1)
    np.testing.assert_allclose(deletion[0], 1 / (1 + np.exp(-left)), rtol=1e-5)
    np.testing.assert_allclose(insertion[0], deletion[0][::-1], rtol=1e-5)


def test_deletion_takes_the_first_pixels_of_the_order_first():
    architecture = Architecture(Input(4, 5, scale=1.0), (Flatten(), Dense(2)), "one pixel")
    kernel = np.zeros((20, 2))
    kernel[13, 1] = 1.0
    model = cs.Model(architecture, {"dense/kernel": kernel, "dense/bias": np.zeros(2)}, ("a", "b"))
    images = np.full((1, 4, 5, 1), 10, np.uint8)
    first = np.array([13, *(place for place in range(20) if place != 13)])[None]
    deletion, insertion = perturbation_curves(model, images, np.array([1]), first, 0)
    assert deletion[0, 0] > 0.99
    np.testing.assert_allclose(deletion[0, 1:], 0.5)
    assert insertion[0, 0] == 0.5
    assert (insertion[0, 1:] > 0.99).all()


def test_the_area_is_that_of_scipy():
    from scipy.integrate import trapezoid

    curves = np.random.default_rng(0).random((5, 21))
    np.testing.assert_allclose(area_under(curves), trapezoid(curves, dx=1 / 20, axis=1))


def test_rank_correlations_are_scipy_s_over_the_drawn_pixels():
    random = np.random.default_rng(1)
    a, b = random.integers(0, 9, (2, 3, 6, 6)).astype(np.float64)
    drawn = random.random((3, 6, 6)) < 0.6
    expected = [stats.spearmanr(x[mask], y[mask]).statistic for x, y, mask in zip(a, b, drawn, strict=True)]
    np.testing.assert_allclose(rank_correlations(a, b, drawn), expected)


def test_a_map_of_equal_numbers_has_no_rank_correlation():
    a, b = np.ones((1, 4, 4)), np.random.default_rng(0).random((1, 4, 4))
    assert np.isnan(rank_correlations(a, b, np.ones((1, 4, 4), bool))).all()
    assert np.isnan(rank_correlations(b, b, np.zeros((1, 4, 4), bool))).all()


@pytest.mark.slow
def test_a_trained_network_s_maps_beat_chance_and_depend_on_its_weights(model: cs.Model, mnist: cs.Splits):
    checks = {one.method: one for one in cs.check_attributions(model, mnist.test, most_images=60).methods}
    assert tuple(checks) == METHODS
    for method in ("integrated_gradients", "occlusion"):
        one = checks[method]
        assert one.deletion_gain_interval[1] < -0.05
        assert one.insertion_gain_interval[0] > 0.05
    assert checks["gradient"].similarity < 0.3


def test_gains_are_differences_from_random_orders_with_scipy_s_interval(model: cs.Model, mnist: cs.Splits):
    few = mnist.test.take(np.arange(12))
    one, other = cs.check_attributions(model, few, methods=["occlusion", "gradient"]).methods
    # Less the same random orders.
    assert one.deletion - one.deletion_gain == pytest.approx(other.deletion - other.deletion_gain)
    low, high = one.deletion_gain_interval
    assert (low + high) / 2 == pytest.approx(one.deletion_gain)
    assert low < one.deletion_gain < high


def test_the_control_s_own_weights_give_its_own_maps(mnist: cs.Splits):
    architecture = cs.presets.cnn((28, 28, 1), 10)
    from convscope.engine import initial_weights

    same = cs.Model(architecture, initial_weights(architecture, 1), mnist.test.class_names)
    # The control draws from seed + 1, so that these weights are its own.
    one = cs.check_attributions(same, mnist.test, methods=["gradient"], most_images=10, seed=0).methods[0]
    assert one.similarity == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_one_image_is_enough_and_has_no_interval(model: cs.Model, mnist: cs.Splits, count: int):
    checks = cs.check_attributions(model, mnist.test.take(np.arange(count)))
    assert all((one.deletion_gain_interval is None) == (count == 1) for one in checks.methods)
    assert decode(encode(checks), cs.AttributionChecks, "attributions.json") == checks


@pytest.mark.slow
def test_checks_show_themselves_in_a_terminal_and_a_notebook(model: cs.Model, mnist: cs.Splits):
    checks = cs.check_attributions(model, mnist.test.take(np.arange(3)))
    for method in METHODS:
        assert method in str(checks)
        assert method in checks._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"most_images": 0}, "most_images is 0"), ({"methods": []}, "methods is empty"), ({"methods": ["x"]}, "'x'")],
)
def test_check_attributions_rejects(model: cs.Model, mnist: cs.Splits, arguments, message):
    with pytest.raises(ValueError, match=message):
        cs.check_attributions(model, mnist.test.take(np.arange(3)), **arguments)
