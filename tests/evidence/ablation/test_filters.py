"""Accuracy without each filter, of networks in which one filter decides."""

import numpy as np
import pytest
from tests.noise import init_model

import convscope as cs
from convscope.base.metrics import difference_interval, mcnemar_exact
from convscope.base.records import encode
from convscope.evidence.ablation import filter_means

from .conftest import bright_or_dark, noise, one_filter_decides


def test_only_the_deciding_filter_costs_accuracy():
    ablation = cs.ablate(one_filter_decides(), bright_or_dark())
    assert (ablation.accuracy, ablation.num_images, ablation.num_images_left_out) == (1.0, 40, 0)
    ablations = {(unit.filter, unit.replacement): unit for unit in ablation.filters}
    assert list(ablations) == [(number, replacement) for number in range(3) for replacement in ("zero", "mean")]
    # At 0 every image counts as dark; at the mean of 110 / 255, above the bias 0.3, every image counts as bright.
    assert ablations[1, "zero"].accuracy_change == ablations[1, "mean"].accuracy_change == -0.5
    assert ablations[1, "zero"].accuracy_change_by_class == (0.0, -1.0)
    assert ablations[1, "mean"].accuracy_change_by_class == (-1.0, 0.0)
    assert ablations[1, "zero"].interval[1] < 0
    for number in (0, 2):
        for replacement in ("zero", "mean"):
            assert ablations[number, replacement].accuracy_change == 0
            assert ablations[number, replacement].interval[0] < 0 < ablations[number, replacement].interval[1]


@pytest.mark.slow
def test_an_ablation_equals_a_model_whose_weights_make_the_filter_constant():
    dataset = noise()
    model = init_model(cs.presets.cnn((12, 11, 1), 7))
    means, whole = filter_means(model, dataset.images), cs.evaluate(model, dataset)
    ablation = cs.ablate(model, dataset)
    assert ablation.accuracy == whole.accuracy
    assert len(ablation.filters) == 2 * (16 + 32)
    intervals = ablation.interval_by_class.unpack()
    for row, effect in list(enumerate(ablation.filters))[::7]:
        weights = {name: weight.copy() for name, weight in model.weights.items()}
        weights[f"{effect.layer}/kernel"][..., effect.filter] = 0
        value = 0 if effect.replacement == "zero" else means[effect.layer][effect.filter]
        weights[f"{effect.layer}/bias"][effect.filter] = value  # relu keeps it, since a mean of relu is not negative
        ablated = cs.evaluate(cs.Model(model.architecture, weights, model.class_names), dataset)
        assert effect.accuracy_change == pytest.approx(ablated.accuracy - whole.accuracy, abs=1e-12)
        recalls = [x.recall - y.recall for x, y in zip(ablated.classes, whole.classes, strict=True)]
        assert effect.accuracy_change_by_class == pytest.approx(recalls, abs=6e-7)  # kept as float32
        right, ablated_right = whole.y_true == whole.y_pred, ablated.y_true == ablated.y_pred
        newly_correct, newly_wrong = ~right & ablated_right, right & ~ablated_right  # predictions
        assert effect.p_value == pytest.approx(mcnemar_exact(int(newly_correct.sum()), int(newly_wrong.sum())))
        # Of all images, then of those of each class.
        groups = [np.ones(len(dataset), bool), *(whole.y_true == label for label in range(7))]
        expected = [
            difference_interval((newly_correct & group).sum()[None], (newly_wrong & group).sum()[None], group.sum())
            for group in groups
        ]
        np.testing.assert_array_equal(effect.interval, np.ravel(expected[0]))
        np.testing.assert_allclose(intervals[row], np.squeeze(expected[1:]), atol=1e-6)


def test_without_a_convolution_hidden_units_are_ablated():
    layers = (cs.Flatten(), cs.Dense(5, "relu"), cs.Dense(3, "relu"), cs.Dense(7, "softmax"))
    ablation = cs.ablate(init_model(cs.Architecture(cs.Input(12, 11), layers)), noise(), ("zero",))
    expected = [("dense", number) for number in range(5)] + [("dense_1", number) for number in range(3)]
    assert [(unit.layer, unit.filter) for unit in ablation.filters] == expected


def test_depthwise_filters_count_too():
    layers = (cs.Conv2D(2, 3), cs.DepthwiseConv2D(3, depth_multiplier=2), cs.Flatten(), cs.Dense(7))
    ablation = cs.ablate(init_model(cs.Architecture(cs.Input(12, 11), layers)), noise(), ("mean",))
    assert [unit.layer for unit in ablation.filters] == ["conv2d"] * 2 + ["depthwise_conv2d"] * 4
    assert {unit.replacement for unit in ablation.filters} == {"mean"}


def test_a_network_of_one_layer_has_nothing_to_ablate():
    ablation = cs.ablate(init_model(cs.Architecture(cs.Input(12, 11), (cs.Flatten(), cs.Dense(7)))), noise())
    assert ablation.filters == ()
    assert ablation.interval_by_class.shape == (0, 7, 2)
    assert ablation.num_filters_left_out == 0
    assert "Accuracy 0." in str(ablation)


def test_a_class_without_images_changes_by_nothing_and_is_not_tested():
    dataset = bright_or_dark()
    ablation = cs.ablate(one_filter_decides(), dataset.take(np.arange(0, 40, 2)))  # the dark images
    assert {unit.accuracy_change_by_class[1] for unit in ablation.filters} == {0.0}
    assert np.unique(ablation.interval_by_class.unpack()[:, 1], axis=0).tolist() == [[-1.0, 1.0]]
    assert ablation.marking_by_class.num_tests == ablation.marking.num_tests == 6  # one of two classes has images


def test_only_the_loss_of_the_deciding_filter_is_marked():
    ablation = cs.ablate(one_filter_decides(), bright_or_dark())
    marked = [(unit.filter, unit.replacement) for unit in ablation.filters if unit.is_significant]
    assert marked == [(1, "zero"), (1, "mean")]
    by_class = ablation.is_significant_by_class.unpack().tolist()  # a row for each ablation: dark, bright
    assert by_class[0] == [0, 0]
    assert by_class[2] == [0, 1]  # filter 1 at zero loses the bright images
    assert by_class[3] == [1, 0]  # filter 1 at its mean loses the dark images
    assert (ablation.marking.num_tests, ablation.marking.num_significant) == (6, 2)  # 3 filters · 2 replacements
    assert ablation.marking.num_expected_by_luck == pytest.approx(0.05 * 6)
    assert ablation.marking_by_class.num_tests == 6 * 2  # for each of two classes


def test_a_filter_of_zeros_costs_nothing(small_mnist):
    model, _ = cs.train(cs.presets.cnn(), small_mnist, cs.recipes.fast, seed=0)
    weights = {name: weight.copy() for name, weight in model.weights.items()}
    weights["conv2d/kernel"][..., 3] = 0
    weights["conv2d/bias"][3] = 0
    ablation = cs.ablate(cs.Model(model.architecture, weights, model.class_names), small_mnist.test)
    changes = [unit.accuracy_change for unit in ablation.filters if (unit.layer, unit.filter) == ("conv2d", 3)]
    assert changes == [0.0, 0.0]  # at zero and at the mean


def test_units_of_hidden_dense_layers_are_ablated_on_request():
    layers = (cs.Conv2D(3), cs.Flatten(), cs.Dense(5, "relu"), cs.Dense(7))
    ablation = cs.ablate(init_model(cs.Architecture(cs.Input(12, 11), layers)), noise(), ("zero",), units=True)
    expected = [("conv2d", number) for number in range(3)] + [("dense", number) for number in range(5)]
    assert [(unit.layer, unit.filter) for unit in ablation.filters] == expected
    assert ablation.layer_kinds == {"conv2d": "Conv2D", "dense": "Dense"}


def test_of_many_filters_some_are_left_out_evenly():
    ablation = cs.ablate(init_model(cs.presets.cnn((12, 11, 1), 7)), noise(), most_ablations=25)
    assert len(ablation.filters) == 24  # both ablations of 12
    assert ablation.num_filters_left_out == 48 - 12
    layers = [unit.layer for unit in ablation.filters[::2]]
    assert (layers.count("conv2d"), layers.count("conv2d_1")) == (4, 8)  # as the layers have 16 and 32 filters
    numbers = [unit.filter for unit in ablation.filters[::2]]
    assert (numbers[0], numbers[-1]) == (0, 31)


@pytest.mark.slow
def test_costly_networks_use_fewer_images_and_then_fewer_filters():
    dataset = noise(3000)
    model = init_model(cs.presets.cnn((12, 11, 1), 7))
    macs = [row.macs for row in model.architecture.table]  # convolution, pooling, convolution, pooling, flatten, dense
    # Per image: two ablations of each filter, and after each all layers behind the filter are computed again.
    cost = 2 * (16 * sum(macs[1:]) + 32 * sum(macs[3:]))
    some = cs.ablate(model, dataset, most_macs=2000 * cost)
    assert (some.num_images, some.num_images_left_out, some.num_filters_left_out) == (2000, 1000, 0)
    few = cs.ablate(model, dataset, most_macs=250 * cost)
    assert (few.num_images, few.num_filters_left_out) == (1000, 36)  # the fewest images, and a quarter of 48 filters
    assert few.accuracy == cs.evaluate(model, dataset.take(np.linspace(0, 2999, 1000).round().astype(int))).accuracy
    assert len(cs.ablate(model, dataset, most_macs=1).filters) == 2


def test_stored_means_are_used():
    dataset, model = bright_or_dark(), one_filter_decides()
    means = {"conv2d": np.array([0, 0.1, 0], np.float32)}
    ablation = cs.ablate(model, dataset, ("mean",), means=means).filters[1]
    assert ablation.accuracy_change_by_class == (0.0, -1.0)  # at 0.1, below 0.3, every image is dark


def test_means_are_those_of_all_images_and_of_the_last_layer_the_mean_logits(monkeypatch):
    layers = (cs.Conv2D(3, activation="relu"), cs.Dropout(0.5), cs.Flatten(), cs.Dense(4, activation="softmax"))
    model = init_model(cs.Architecture(cs.Input(7, 6, 2), layers, "small"))
    images = noise(50, 4, (7, 6, 2)).images
    monkeypatch.setattr("convscope.evidence.ablation.parts._BLOCK_BYTES", 4000)  # so that blocks of images are added up
    means = filter_means(model, images)
    outputs = model.activations(images)
    assert list(means) == ["conv2d", "dropout", "flatten", "dense"]
    np.testing.assert_allclose(means["conv2d"], outputs["conv2d"].mean(axis=(0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(means["flatten"], outputs["flatten"].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(means["dense"], model.logits(images).mean(axis=0), atol=1e-6)


@pytest.mark.slow
def test_to_dict_of_many_filters_and_classes_stays_small():
    layers = (cs.Conv2D(128, 3), cs.MaxPooling2D(), cs.Flatten(), cs.Dense(100))
    ablation = cs.ablate(init_model(cs.Architecture(cs.Input(12, 11), layers)), noise(200, 100))
    assert len(ablation.filters) == 256
    assert len(encode(ablation)) < 300_000  # bytes of JSON


def test_text_and_html_show_the_worst_of_each_layer():
    ablation = cs.ablate(one_filter_decides(), bright_or_dark(), ("zero",))
    assert "Accuracy 1.0000 on 40 test images of lamps" in str(ablation)
    row = str(ablation).splitlines()[4].split()
    # Layer, number of filters, replacement, worst filter, its change, number of significant filters.
    assert row[:7] == ["conv2d", "3", "by", "zero", "1", "-0.5000", "1"]
    assert ">-0.5000</td>" in ablation._repr_html_()


@pytest.mark.parametrize(
    ("dataset", "replacements", "message"),
    [
        (bright_or_dark(), (), r"replacements are \(\); choose from zero, mean"),
        (bright_or_dark(), ("noise",), r"replacements\[0\] is 'noise'; it must be one of zero, mean"),
        (noise(), ("zero",), "noise has 7 classes"),
        (noise(20, 2), ("zero",), "is '0' in noise"),
    ],
)
def test_ablate_rejects_what_does_not_fit(dataset, replacements, message):
    with pytest.raises(ValueError, match=message):
        cs.ablate(one_filter_decides(), dataset, replacements)
