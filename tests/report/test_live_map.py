"""The map of test images in the payload, onto which the page projects further images."""

import json
from importlib.resources import files
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator
from tests.noise import init_model
from tests.shared import unpack

from convscope.architecture import presets
from convscope.evidence.explanation.embedding import Embedding, embed
from convscope.report.payload import live_map
from convscope.training.model import Model

from .conftest import make_split


def embed_noise(**options: Any) -> tuple[Model, Any, Embedding]:
    dataset = make_split("test", (8, 8, 1), ("a", "b", "c"), 30)
    model = init_model(presets.ann((8, 8, 1), 3), dataset.class_names)
    return model, dataset, embed(model, dataset, **options)


def test_an_image_lies_where_its_activations_are_projected(payloads: dict[str, Any]) -> None:
    model, dataset, value = embed_noise(max_images=20)
    mapping = live_map(value).to_dict()
    hidden = model.activations(dataset.images, [mapping["layer"]])[mapping["layer"]]
    positions = hidden @ unpack(mapping["directions"]) - mapping["offset"]
    np.testing.assert_allclose(positions[unpack(mapping["indices"])], unpack(mapping["points"]), atol=1e-4)
    np.testing.assert_array_equal(unpack(mapping["labels"]), dataset.labels[unpack(mapping["indices"])])
    schema = json.loads(files("convscope.report").joinpath("payload.schema.json").read_text(encoding="utf-8"))
    payload = {**payloads["tiny"], "live": {**payloads["tiny"]["live"], "map": mapping}}
    assert list(Draft202012Validator(schema).iter_errors(payload)) == []
