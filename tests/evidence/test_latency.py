"""The measured time of a prediction."""

import convscope as cs
from convscope.engine import initial_weights, open_network
from convscope.evidence.latency import measure_latency


def test_latency_is_measured_for_one_and_for_a_thousand_images(small_mnist: cs.Splits):
    network = cs.presets.ann()
    opened = open_network(network, initial_weights(network, 0))
    single, thousand = measure_latency(opened, small_mnist.train.images)
    assert thousand is not None
    assert 0 < single < thousand < 1
    assert measure_latency(opened, small_mnist.test.images)[1] is None  # there are only 300 images
