import numpy as np
import pytest

import convscope as cs
from convscope.base.metrics import wilson_interval
from convscope.base.records import decode, encode
from convscope.engine import Replacement, lesion_effects, open_network
from convscope.evidence.ablation import Removal, filter_means, removal_curves

from .conftest import lamps, noise, noises, one_filter_decides, untrained


def by_curve(removal):
    return {(curve.layers, curve.replacement): curve for curve in removal.curves}


def test_the_deciding_filter_comes_first_and_the_others_cost_nothing():
    removal = removal_curves(one_filter_decides(), lamps(), ("zero",))
    (curve,) = removal.curves
    assert curve.counts == (0, 1, 2, 3)
    assert curve.order[0] == ("conv2d", 1)
    assert curve.least_important_first == (1, 1, 1, 0.5)
    assert curve.most_important_first == (1, 0.5, 0.5, 0.5)
    # After one of three the deciding filter is gone in a third of the orders, after two in two thirds.
    assert 0.5 < curve.random_mean[2] < curve.random_mean[1] < 1
    assert curve.random_interval[1] == (0.5, 1)
    assert removal.accuracy == 1


def test_importance_is_measured_on_training_images_alone():
    # In training bright images are rare, so that losing the filter that finds them costs little; the test has many.
    bright = np.arange(1, 40, 2)
    data = lamps()
    rare = cs.Splits(data.train.take(np.arange(0, 40, 2)), data.test.take(bright))
    (curve,) = removal_curves(one_filter_decides(), rare, ("zero",)).curves
    assert curve.order[-1] == ("conv2d", 1)  # silent, dark images are even surer
    assert curve.most_important_first == (1, 1, 1, 0)


def test_curves_are_the_accuracies_with_all_these_filters_replaced_by_the_reference_engine():
    layers = (cs.Conv2D(4, 3, activation="relu"), cs.MaxPooling2D(), cs.Conv2D(5, 3), cs.Flatten(), cs.Dense(7))
    data, model = noises(60), untrained(cs.Architecture(cs.Input(12, 11), layers))
    removal = removal_curves(model, data, num_orders=3)
    means = filter_means(model, data.test.images)
    reference = open_network(model.architecture, model.weights, "reference")
    groups = [("conv2d",), ("conv2d_1",), ("conv2d", "conv2d_1")]
    assert list(by_curve(removal)) == [(group, replacement) for group in groups for replacement in ("zero", "mean")]
    for curve in removal.curves:
        values = {part: 0.0 if curve.replacement == "zero" else float(means[part[0]][part[1]]) for part in curve.order}
        for order, measured in (
            (curve.order, curve.most_important_first),
            (curve.order[::-1], curve.least_important_first),
        ):
            lesions = [[Replacement(*part, values[part]) for part in order[:count]] for count in curve.counts]
            effects = lesion_effects(reference, data.test.images, data.test.labels, lesions)
            np.testing.assert_allclose(measured, (effects.predictions == data.test.labels).mean(axis=1), atol=1e-12)
        least, mean, band = map(np.array, (curve.least_important_first, curve.random_mean, curve.random_interval))
        num_correct = np.rint(least * 60).astype(int)
        low, high = wilson_interval(num_correct, np.full(len(num_correct), 60))
        np.testing.assert_allclose(curve.least_important_first_interval, np.stack([low, high], axis=1))
        change, interval = least - least[0], np.array(curve.least_important_first_change_interval)
        assert (interval[:, 0] <= change).all()
        assert (change <= interval[:, 1]).all()
        assert (band[:, 0] <= mean + 1e-12).all()
        assert (mean <= band[:, 1] + 1e-12).all()
        # All or none removed, the order is of no matter.
        np.testing.assert_allclose(band[[0, -1]], mean[[0, -1], None].repeat(2, axis=1))


def test_the_order_is_that_of_the_cross_entropy_without_each_filter():
    layers = (cs.Conv2D(6, 3, activation="relu"), cs.Flatten(), cs.Dense(7))
    data, model = noises(60), untrained(cs.Architecture(cs.Input(12, 11), layers))
    curve = by_curve(removal_curves(model, data))[("conv2d",), "mean"]
    means = filter_means(model, data.train.images)["conv2d"]
    lesions = [[Replacement("conv2d", number, float(means[number]))] for number in range(6)]
    losses = lesion_effects(model.network, data.train.images, data.train.labels, lesions).losses.mean(axis=1)
    assert [number for _, number in curve.order] == np.argsort(-losses).tolist()


def test_the_same_seed_gives_the_same_curves_and_another_other_random_orders():
    data, model = noises(60), untrained(cs.presets.cnn((12, 11, 1), 7))
    first, again, other = (removal_curves(model, data, ("zero",), num_orders=4, seed=seed) for seed in (1, 1, 2))
    assert first.to_dict() == again.to_dict()
    one, two = first.curves[0], other.curves[0]
    assert one.random_mean != two.random_mean
    assert one.least_important_first == two.least_important_first


def test_a_network_without_filters_has_no_curves():
    removal = removal_curves(untrained(cs.Architecture(cs.Input(12, 11), (cs.Flatten(), cs.Dense(7)))), noises())
    assert removal.curves == ()
    assert removal.num_images_left_out == 0


def test_units_count_on_request_and_without_a_convolution():
    layers = (cs.Conv2D(3), cs.Flatten(), cs.Dense(5, "relu"), cs.Dense(7))
    model = untrained(cs.Architecture(cs.Input(12, 11), layers))
    removal = removal_curves(model, noises(), ("zero",), units=True, num_orders=2)
    assert [curve.layers for curve in removal.curves] == [("conv2d",), ("dense",), ("conv2d", "dense")]
    assert removal.layer_kinds == {"conv2d": "Conv2D", "dense": "Dense"}
    removal = removal_curves(untrained(cs.presets.ann((12, 11, 1), 7)), noises(), ("zero",), num_orders=2)
    assert [curve.layers for curve in removal.curves] == [("dense",), ("dense_1",), ("dense", "dense_1")]


@pytest.mark.slow
def test_what_costs_too_much_leaves_out_images_then_orders_then_layers():
    data, model = noises(400), untrained(cs.presets.cnn((12, 11, 1), 7))
    images = removal_curves(model, data, ("zero",), most_macs=3e9)
    assert images.num_orders == 20
    assert 100 <= images.num_control_images < images.num_images == 400
    assert len(images.curves[0].least_important_first_change_interval) == len(images.curves[0].counts)
    orders = removal_curves(model, data, ("zero",), most_macs=8e8)
    assert 5 <= orders.num_orders < 20
    assert orders.layers_left_out == ()
    fewer = removal_curves(model, noises(1000), ("zero",), most_macs=8e8)
    assert 100 <= fewer.num_images < 1000
    assert fewer.num_images + fewer.num_images_left_out == 1000
    layers = removal_curves(model, data, ("zero",), most_macs=1e8)
    assert layers.layers_left_out == ("conv2d",)
    assert [curve.layers for curve in layers.curves] == [("conv2d_1",)]
    assert "Left out because it would take too long: conv2d" in str(layers).splitlines()
    assert removal_curves(model, data, ("zero",), most_macs=1).curves == ()


def test_it_is_plain_json_and_text_names_half_of_the_filters():
    removal = removal_curves(untrained(cs.presets.cnn((12, 11, 1), 7)), noises(60), num_orders=2)
    assert decode(encode(removal), Removal, "ablation.json") == removal
    rows = [line.split()[:5] for line in str(removal).splitlines()[4:]]
    assert rows[0] == ["conv2d", "16", "by", "zero", "8"]
    assert rows[-1] == ["all", "48", "by", "mean", "24"]
    assert ">all</td>" in removal._repr_html_()


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (lamps(), {"replacements": ()}, r"replacements are \(\)"),
        (lamps(), {"num_orders": 0}, "num_orders is 0; it must be at least 1"),
        (cs.Splits(noise(split="train"), noise()), {}, "noise has 7 classes"),
    ],
)
def test_removal_curves_rejects_what_does_not_fit(data, options, message):
    with pytest.raises(ValueError, match=message):
        removal_curves(one_filter_decides(), data, **options)
