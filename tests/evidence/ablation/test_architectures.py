"""Networks that are trained without a part, tested against the whole network."""

import numpy as np
import pytest

import convscope as cs
from convscope.base.statistics import group_accuracy_interval, group_difference
from convscope.evidence.ablation.significance import FALSE_DISCOVERY_RATE
from convscope.evidence.ablation.variants import variants
from convscope.experiment import RunSpec, train_runs
from convscope.experiment.architectures import ablate_architecture, plan_architectures


@pytest.fixture(scope="module")
def ablated(small_mnist):
    return ablate_architecture(cs.presets.ann(), small_mnist, cs.recipes.fast, (0, 1, 2), threads=1)


@pytest.mark.slow
def test_every_variant_and_the_whole_network_are_trained_from_every_seed(ablated, small_mnist):
    assert ablated.whole.name == "whole network"
    specs = [RunSpec("", cs.presets.ann(), cs.recipes.fast, seed) for seed in (0, 1, 2)]
    assert ablated.whole.accuracies == tuple(run.accuracy for run in train_runs(specs, small_mnist))
    assert {variant.name for variant in ablated.variants} == {
        "linear activations", "linear model", "half width", "double width", "pixels not scaled", "100 images",
    }  # fmt: skip
    assert {len(variant.accuracies) for variant in ablated.variants} == {3}
    assert [variant.num_images for variant in ablated.variants if variant.name == "100 images"] == [100]
    linear = next(variant for variant in ablated.variants if variant.name == "linear model")
    assert (linear.parameters, linear.macs) == (784 * 10 + 10, 784 * 10)  # 28 × 28 pixels to 10 classes
    assert linear.seconds > 0


def test_variants_that_were_not_trained_are_listed_with_a_reason(ablated):
    reasons = {variant.name: variant.reason for variant in ablated.architecture_runs.left_out}
    assert reasons["10,000 images"] == "there are only 1,000 training images"
    assert reasons["no pooling"] == "the network has no window pooling"


def test_a_variant_is_tested_over_seeds_and_images(ablated, small_mnist):
    linear = next(variant.architecture for variant in variants(cs.presets.ann()) if variant.name == "linear model")

    def train_and_mark_errors(network):
        specs = [RunSpec("", network, cs.recipes.fast, seed) for seed in (0, 1, 2)]
        return np.array([run.y_pred != small_mnist.test.labels for run in train_runs(specs, small_mnist)])

    wrong, whole_wrong = train_and_mark_errors(linear), train_and_mark_errors(cs.presets.ann())
    expected = group_difference(wrong, whole_wrong)
    linear_model = next(variant for variant in ablated.variants if variant.name == "linear model")
    assert (linear_model.difference_interval, linear_model.p_value) == (expected.interval, expected.p_value)
    assert linear_model.interval == group_accuracy_interval(wrong)


def test_differences_are_judged_by_their_p_values_together(ablated):
    whole = np.array(ablated.whole.accuracies)
    for variant in ablated.variants:
        assert variant.difference == pytest.approx((np.array(variant.accuracies) - whole).mean())
        low, high = variant.difference_interval
        assert (variant.p_value < 0.05) == (not low <= 0 <= high)
        assert variant.mean == pytest.approx(np.mean(variant.accuracies))
        if variant.p_value > FALSE_DISCOVERY_RATE:
            assert variant.verdict == "no difference shown"
    order = [variant.difference for variant in ablated.variants]
    assert order == sorted(order)
    assert ablated.variants[0].verdict == "worse"  # 100 images


def test_text_and_html_list_the_variants_and_the_text_says_what_was_left_out(ablated):
    lines = str(ablated).splitlines()
    assert lines[0].startswith("Variants of ann, recipe fast, 3 seeds: accuracy on 300 test")
    assert lines[4].startswith("whole network")
    assert "Left out because there are only 1,000 training images: 1,000 images, 10,000 images" in lines
    assert ">linear model</td>" in ablated._repr_html_()


def test_one_seed_decides_nothing(small_mnist):
    tiny = cs.Splits(small_mnist.train.take(np.arange(64)), small_mnist.test.take(np.arange(50)))
    ablated = ablate_architecture(cs.presets.ann(), tiny, cs.Recipe(epochs=1), [7])
    assert {variant.verdict for variant in ablated.variants} == {"no difference shown"}
    assert {variant.difference_interval for variant in ablated.variants} == {None}
    low, high = ablated.whole.interval  # over images alone, since one seed has no spread
    assert low < ablated.whole.mean < high
    assert "none" in str(ablated)


def test_results_are_reported_one_by_one_and_a_second_call_gives_the_same_values(small_mnist, tmp_path):
    tiny = cs.Splits(small_mnist.train.take(np.arange(64)), small_mnist.test.take(np.arange(50)))
    seen = []
    first = ablate_architecture(
        cs.presets.ann(), tiny, cs.Recipe(epochs=1), [0], folder=tmp_path, on_result=lambda run: seen.append(run.name)
    )
    assert seen == ["whole network", "linear activations", "linear model", "half width", "double width",
                    "pixels not scaled"]  # fmt: skip
    again = ablate_architecture(cs.presets.ann(), tiny, cs.Recipe(epochs=1), [0], folder=tmp_path)
    assert again.to_dict() == first.to_dict()


def test_the_plan_counts_runs_and_multiply_adds(mnist):
    plan = plan_architectures(cs.presets.ann(), mnist, 5)
    assert plan.num_runs == 5 * 9  # the whole network, five changed networks, and 100, 1,000 and 10,000 images
    macs = cs.presets.ann().macs
    linear_model, half_width, double_width = 7840, 784 * 64 + 64 * 64 + 640, 784 * 256 + 256 * 256 + 2560
    changed = linear_model + half_width + double_width + 2 * macs  # linear activations, unscaled pixels: as before
    assert plan.times == pytest.approx(5 * (1 + changed / macs + (100 + 1_000 + 10_000) / 60_000))


def test_variants_that_cost_too_much_are_left_out_with_the_reason(mnist):
    plan = plan_architectures(cs.presets.cnn(), mnist, most_times_macs=3)
    reasons = {left_out.name: left_out.reason for left_out in plan.left_out}
    assert reasons["no pooling"] == "it needs 7 times the multiply-adds of the network"
    assert "double width" not in {variant.name for variant in plan.variants}
    large = cs.Splits(*(cs.Dataset(np.zeros((4, 64, 64, 1), np.uint8), np.arange(4) % 2, ("a", "b"))
                        for _ in range(2)))  # fmt: skip
    plan = plan_architectures(cs.presets.cnn((64, 64, 1), 2), large)
    reasons = {left_out.name: left_out.reason for left_out in plan.left_out}
    assert reasons["no pooling"] == "it has 14,750,786 parameters"  # nearly all in a dense layer of 60 · 60 · 32 × 128


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_must_be_nonempty_and_unique(small_mnist, seeds):
    with pytest.raises(ValueError, match="give at least one, without duplicates"):
        ablate_architecture(cs.presets.ann(), small_mnist, cs.recipes.fast, seeds)
