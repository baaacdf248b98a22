"""The data that the page computes with, and their schema."""

import json
from copy import deepcopy
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.shared import unpack


@pytest.fixture(scope="session")
def schema() -> Draft202012Validator:
    schema = json.loads(files("convscope.report").joinpath("payload.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_a_payload_is_what_the_schema_describes(payload: dict[str, Any], schema: Draft202012Validator) -> None:
    assert [f"{error.json_path}: {error.message:.200}" for error in schema.iter_errors(payload)] == []


def test_the_schema_names_every_part_of_a_payload(payload: dict[str, Any], schema: Draft202012Validator) -> None:
    assert set(schema.schema["properties"]) == set(schema.schema["required"]) == set(payload)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), 2),
        (("live", "handwriting", "ink"), "red"),
        (("live", "models", 0, "weights", "dense/bias", "dtype"), "float64"),
        (("evaluation", "accuracy"), 99.0),
        (("model", "weights_sha256"), None),
        (("evidence", "ablation"), "much"),
        (("extra",), 1),
    ],
)
def test_the_schema_detects_a_wrong_value(
    payloads: dict[str, Any], schema: Draft202012Validator, path: tuple[str | int, ...], value: Any
) -> None:
    payload: Any = deepcopy(payloads["tiny"])
    parent = payload
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    assert not schema.is_valid(payload)


def test_very_many_kernels_and_maps_are_sampled_and_counted(payloads: dict[str, Any]) -> None:
    bank, maps = payloads["colour"]["kernels"][1], payloads["colour"]["feature_maps"][0]
    assert bank["shape"] == [1, 1, 100, 70]
    assert unpack(bank["values"]).shape == (1, 1, 64, 64)  # at most 64 channels, filters and maps
    assert maps["num_maps"] == 100
    assert unpack(maps["values"]).shape == (20, 32, 64)


def test_every_class_has_its_samples(payload: dict[str, Any]) -> None:
    samples = payload["data"]["samples"]
    assert [sample["label"] for sample in samples] == list(range(len(payload["evaluation"]["class_names"])))
    assert all(1 <= len(sample["pictures"]) == len(sample["indices"]) <= 10 for sample in samples)


def test_a_network_without_convolution_has_neither_kernels_nor_maps(payloads: dict[str, Any]) -> None:
    assert payloads["tiny"]["kernels"] == []
    assert payloads["tiny"]["feature_maps"] == []


@pytest.mark.parametrize("name", ["cnn", "many"])
def test_worst_mistakes_come_with_their_pictures(payloads: dict[str, Any], name: str) -> None:
    payload = payloads[name]
    assert len(payload["mistake_pictures"]) == min(payload["evaluation"]["num_mistakes"], 24)
