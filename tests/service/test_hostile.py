"""Any body gets a prediction or an error of the service, never a crash; the model returns zeros, without an engine."""

import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convscope.data.handwriting import Handwriting
from convscope.service import Served
from convscope.service.inference import infer
from convscope.service.refusal import RequestRefusedError

INPUT = SimpleNamespace(shape=(2, 2, 1))
MODEL = SimpleNamespace(
    architecture=SimpleNamespace(input=INPUT, to_dict=dict), class_names=("a", "b", "c"), calibration={},
    handwriting=Handwriting("light", 2), weights_sha256="0" * 64,
    logits=lambda images: np.zeros((len(images), 3), np.float32),
)  # fmt: skip
SERVED = Served("none", cast(Any, MODEL))

ONE = {"name": "images", "shape": [1, 2, 2, 1], "datatype": "UINT8", "data": [0, 1, 2, 255]}

NAMES = st.sampled_from(["inputs", "outputs", "name", "shape", "datatype", "data", "parameters", "id", "images"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["images", "UINT8", "FP32", "label", "logits", ""])
    | st.text(max_size=5)
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5))


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(st.sampled_from(["name", "shape", "datatype", "data", "parameters"]), VALUES, max_size=2),
    st.dictionaries(st.sampled_from(["inputs", "outputs", "parameters", "id"]), VALUES, max_size=2),
    st.binary(max_size=20),
)
def test_any_request_is_answered_or_refused(tensor_changes: dict[str, Any], changes: dict[str, Any], more: bytes):
    body = json.dumps({"inputs": [ONE | tensor_changes]} | changes).encode() + more
    with suppress(RequestRefusedError):
        assert json.loads(infer(SERVED, body, 4))["model_name"] == "none"


@given(st.binary(max_size=300))
def test_any_bytes_are_answered_or_refused(body: bytes):
    with suppress(RequestRefusedError):
        infer(SERVED, body, 4)


def test_the_valid_body_of_the_mutations_is_answered():
    response = infer(SERVED, json.dumps({"inputs": [ONE]}).encode(), 4)
    assert json.loads(response)["outputs"][0]["shape"] == [1, 3]
