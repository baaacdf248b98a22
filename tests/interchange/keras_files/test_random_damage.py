"""Randomly changed Keras files are read or refused with an `InterchangeError`; no other error is raised."""

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.interchange.keras_files.keras_archives import archive, hdf5, legacy, small

from convscope.base.errors import InterchangeError

pytestmark = pytest.mark.slow

CONFIG, ARRAYS = small()
BY_WEIGHT = {
    ("dense_2", "dense_2/kernel:0"): np.ones((40, 3), np.float32),
    ("conv2d_7", "conv2d_7/kernel:0"): np.ones((3, 3, 1, 2), np.float32),
}
SOUND = [archive(CONFIG, hdf5(ARRAYS)), legacy(CONFIG, BY_WEIGHT), hdf5(ARRAYS)]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def list_paths(value, path=()):
    """List the paths of all values inside a JSON value, each a tuple of keys and indices."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, entry in entries for inner in list_paths(entry, (*path, key)))]


PATHS = [path for path in list_paths(CONFIG) if path]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sound=st.sampled_from(SOUND),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6
    ),
    kept=st.none() | st.floats(0, 1),
)
def test_changed_bytes_are_read_or_refused(read, sound, changes, kept):
    content = bytearray(sound)
    for offset, piece in changes:
        start = int(offset * len(content))
        content[start : start + len(piece)] = piece
    with suppress(InterchangeError):
        read(bytes(content if kept is None else content[: int(kept * len(content))]))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.sampled_from(PATHS), values), min_size=1, max_size=3))
def test_changed_descriptions_are_read_or_refused(read, changes):
    config = json.loads(json.dumps(CONFIG))
    for path, value in changes:
        inner = config
        with suppress(KeyError, IndexError, TypeError):  # an earlier change removed the path
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
    with suppress(InterchangeError):
        read(archive(config, hdf5(ARRAYS)))
