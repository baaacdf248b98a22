import json
from typing import Any

import numpy as np
import pytest

from convscope.report.pixels import array_from_json, picture_from_json


def test_a_payload_is_finite_plain_json(payload: dict[str, Any]) -> None:
    text = json.dumps(payload, allow_nan=False)
    assert json.loads(text) == payload


def test_a_payload_holds_the_matrix_of_the_first_training_image(payloads: dict[str, Any]) -> None:
    example = payloads["cnn"]["data"]["example"]
    matrix = np.array(example["channels"][0], np.uint8)
    assert matrix.shape == (28, 28)
    assert example["is_whole"]
    assert np.array_equal(picture_from_json(example["picture"])[..., 0], matrix)


def test_a_colour_picture_is_lossless(payloads: dict[str, Any]) -> None:
    example = payloads["colour"]["data"]["example"]
    channels = np.stack([np.array(channel, np.uint8) for channel in example["channels"]], axis=-1)
    assert np.array_equal(picture_from_json(example["picture"])[..., :3], channels)


def test_of_very_many_kernels_and_maps_a_part_travels_with_the_true_numbers(payloads: dict[str, Any]) -> None:
    bank, maps = payloads["colour"]["kernels"][1], payloads["colour"]["feature_maps"][0]
    assert bank["shape"] == [1, 1, 100, 70]
    assert array_from_json(bank["values"]).shape == (1, 1, 64, 64)
    assert maps["num_maps"] == 100
    assert array_from_json(maps["values"]).shape == (20, 32, 64)


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
