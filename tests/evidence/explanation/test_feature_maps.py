import numpy as np
import pytest

import convscope as cs
from convscope.evidence.explanation.feature_maps import summarize_activations

ARCHITECTURE = cs.Architecture(
    cs.Input(2, 2), (cs.Conv2D(3, (1, 1), activation="relu"), cs.Flatten(), cs.Dense(2, "softmax"))
)
MAPS = np.stack([[[0.0, 2.0], [0.0, 0.0]], np.zeros((2, 2)), np.full((2, 2), 0.5)], axis=2).astype(np.float32)
ACTIVATIONS = {"conv2d": MAPS, "flatten": MAPS.reshape(-1), "dense": np.array([0.25, 0.75], np.float32)}


def test_summary_of_maps_worked_by_hand():
    summary = summarize_activations(ARCHITECTURE, ACTIVATIONS)[0]
    assert (summary.layer, summary.kind, summary.shape) == ("conv2d", "Conv2D", (2, 2, 3))
    assert (summary.minimum, summary.maximum, summary.mean) == (0, 2, pytest.approx(4 / 12))
    assert summary.map_maximum == (2.0, 0.0, 0.5)
    assert summary.map_active_fraction == (0.25, 0.0, 1.0)
    assert (summary.active_fraction, summary.num_dead_maps) == (pytest.approx(5 / 12), 1)


def test_summary_of_a_vector_counts_its_units_as_maps():
    flatten, dense = summarize_activations(ARCHITECTURE, ACTIVATIONS)[1:]
    assert (flatten.shape, flatten.num_dead_maps, flatten.active_fraction) == ((12,), 7, pytest.approx(5 / 12))
    assert (dense.num_dead_maps, dense.minimum, dense.maximum) == (0, 0.25, 0.75)
    assert flatten.map_maximum == flatten.map_active_fraction == ()


def test_a_map_of_negative_values_is_not_dead():
    summary = summarize_activations(ARCHITECTURE, ACTIVATIONS | {"conv2d": -MAPS})[0]
    assert (summary.num_dead_maps, summary.map_maximum[2]) == (1, -0.5)
