"""Random networks with layers of every kind, for tests of rules that hold for any network."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.random_networks import architecture_around, kind_sequences, random_images, random_weights

import convscope as cs

ARCHITECTURES = [
    cs.presets.cnn((14, 15, 1), 7),  # its convolutions are computed together with their poolings
    *(
        architecture_around(sequence, np.random.default_rng(number))
        # Each 190th of all 3,717 sequences of three kinds, from the middle of the first 190: twenty networks.
        for number, sequence in enumerate(kind_sequences(3)[95::190])
    ),
]


@pytest.fixture(params=ARCHITECTURES, ids=range(len(ARCHITECTURES)))
def architecture(request: pytest.FixtureRequest) -> cs.Architecture:
    return request.param


@pytest.fixture
def weights(architecture: cs.Architecture) -> dict[str, NDArray[np.float32]]:
    return random_weights(architecture, np.random.default_rng(2))


@pytest.fixture
def images(architecture: cs.Architecture) -> NDArray[np.uint8]:
    """Eleven images, because the engine works on slices of eight and the last one must not be full."""
    return random_images(architecture, np.random.default_rng(0), 11)
