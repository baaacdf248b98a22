"""The Open Inference Protocol (/v2): metadata, inference and the errors for invalid bodies."""

import json
from typing import Any

import numpy as np
import pytest

from convscope.base.metrics import softmax
from convscope.service import Limits, Served, create_app

from .conftest import Client

INFER = "/v2/models/grey/infer"


def tensor(images: np.ndarray, **changes: Any) -> dict[str, Any]:
    data = images.reshape(-1).tolist()
    return {"name": "images", "shape": list(images.shape), "datatype": "UINT8", "data": data} | changes


def outputs(response: dict[str, Any]) -> dict[str, np.ndarray]:
    return {output["name"]: np.array(output["data"]).reshape(output["shape"]) for output in response["outputs"]}


def test_health_and_metadata_follow_the_protocol(client: Client, grey: Served):
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2").json()["extensions"] == []
    assert client.get("/v2/models/grey/ready").json() == {"name": "grey", "ready": True}
    metadata = client.get("/v2/models/grey").json()
    assert metadata["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 8, 8, 1]}]
    assert {output["name"]: (output["datatype"], output["shape"]) for output in metadata["outputs"]} == {
        "logits": ("FP32", [-1, 3]),
        "probabilities": ("FP32", [-1, 3]),
        "calibrated_probabilities": ("FP32", [-1, 3]),
        "label": ("INT64", [-1]),
        "none_of_these": ("BOOL", [-1]),
    }
    assert metadata["versions"] == [grey.version]


def test_all_outputs_are_returned_by_default(client: Client, grey: Served, images: np.ndarray):
    completed = client.post(INFER, json={"id": "mine", "inputs": [tensor(images)]})
    assert completed.status_code == 200
    response = completed.json()
    assert (response["id"], response["model_name"], response["model_version"]) == ("mine", "grey", grey.version)
    arrays, logits = outputs(response), grey.model.logits(images)
    assert np.array_equal(arrays["logits"].astype(np.float32), logits)
    assert np.array_equal(arrays["probabilities"].astype(np.float32), softmax(logits).astype(np.float32))
    calibrated = grey.model.calibrated_probabilities(images).astype(np.float32)
    assert np.array_equal(arrays["calibrated_probabilities"].astype(np.float32), calibrated)
    assert not np.array_equal(arrays["calibrated_probabilities"], arrays["probabilities"])
    assert arrays["label"].tolist() == grey.model.predict(images).tolist()
    assert grey.rule is not None
    assert arrays["none_of_these"].tolist() == grey.rule.refuses(grey.model, images).tolist()


@pytest.mark.parametrize("datatype", ["UINT8", "INT32", "FP32", "FP64"])
@pytest.mark.parametrize("names", [("label",), ("probabilities", "label"), ("label", "logits", "probabilities")])
def test_outputs_come_in_the_requested_order(
    client: Client, grey: Served, images: np.ndarray, datatype: str, names: tuple[str, ...]
):
    for data in (images.tolist(), images.reshape(-1).tolist()):
        query = tensor(images, datatype=datatype, data=data)
        completed = client.post(INFER, json={"inputs": [query], "outputs": [{"name": name} for name in names]})
        assert completed.status_code == 200
        response = completed.json()
        assert "id" not in response
        assert [output["name"] for output in response["outputs"]] == list(names)
        assert outputs(response)["label"].tolist() == grey.model.predict(images).tolist()


def test_a_model_without_a_rejection_rule_has_no_output_none_of_these(client_of_both: Client):
    image = np.zeros((1, 12, 10, 3), np.uint8)
    completed = client_of_both.post("/v2/models/colour/infer", json={"inputs": [tensor(image)]})
    assert [output["name"] for output in completed.json()["outputs"]][-1] == "label"
    query = {"inputs": [tensor(image)], "outputs": [{"name": "none_of_these"}]}
    completed = client_of_both.post("/v2/models/colour/infer", json=query)
    assert completed.status_code == 400
    assert "has no output 'none_of_these'; it has logits, " in completed.json()["error"]


ONE = tensor(np.zeros((1, 8, 8, 1), np.uint8))


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "Invalid JSON"),
        (b"\xff\xfe{}", 400, "Invalid JSON"),
        (b"[]", 400, "object"),
        (b"{}", 400, "inputs: Field required"),
        (b"[" * 100_000, 400, "recursion limit"),
        (json.dumps({"inputs": []}), 400, "inputs: List should have at least 1 item"),
        (json.dumps({"inputs": [ONE, ONE]}), 400, "inputs: List should have at most 1 item"),
        (json.dumps({"inputs": [ONE], "more": 1}), 400, "more: Extra inputs are not permitted"),
        (json.dumps({"inputs": [ONE], "id": 7}), 400, "id: Input should be a valid string"),
        (json.dumps({"inputs": [ONE], "id": "x" * 257}), 400, "id: String should have at most 256"),
        (json.dumps({"inputs": [ONE | {"name": "image"}]}), 400, "inputs.0.name: Input should be 'images'"),
        (json.dumps({"inputs": [ONE | {"datatype": "BYTES"}]}), 400, "inputs.0.datatype: Input should be 'UINT8'"),
        (json.dumps({"inputs": [ONE | {"shape": [1, 8, 8]}]}), 400, "inputs.0.shape: List should have at least 4"),
        (json.dumps({"inputs": [ONE | {"shape": [-1, 8, 8, 1]}]}), 400, "inputs.0.shape.0: Input should be greater"),
        (json.dumps({"inputs": [ONE | {"shape": [1, 4, 16, 1]}]}), 400, "this model needs (N, 8, 8, 1)"),
        (
            json.dumps({"inputs": [ONE | {"shape": [99, 8, 8, 1]}]}),
            413,
            "there are 99 images; a request may have 1 to 4",
        ),
        (json.dumps({"inputs": [ONE | {"data": [0] * 2000}]}), 413, "the JSON holds 2,0"),
        (json.dumps({"inputs": [ONE | {"data": [0]}]}), 400, "has the shape"),
        (json.dumps({"inputs": [ONE | {"data": "0" * 64}]}), 400, "inputs.0.data: Input should be a valid array"),
        (json.dumps({"inputs": [ONE | {"data": ["0"] * 64}]}), 400, "holds str"),
        (json.dumps({"inputs": [ONE | {"data": [float("nan")] * 64}]}), 400, "is nan; pixels"),
        ('{"inputs":[{"name":"images","shape":[1,8,8,1],"datatype":"UINT8","data":[' + "9" * 5000 + "]}]}", 400, ""),
        (json.dumps({"inputs": [ONE | {"data": None}]}), 400, "inputs.0.data: Input should be a valid array"),
        (json.dumps({"inputs": [ONE | {"parameters": {"a": []}}]}), 400, "parameters"),
        (
            json.dumps({"inputs": [ONE], "outputs": [{"name": "scores"}]}),
            400,
            "outputs.0.name: Input should be 'logits'",
        ),
        (json.dumps({"inputs": [ONE], "outputs": [{"name": "label"}] * 2}), 400, "'label' is requested twice"),
    ],
)
def test_an_invalid_body_is_refused_with_a_reason(grey: Served, body: str | bytes, status: int, reason: str):
    completed = Client(create_app([grey], Limits(images=4))).post(INFER, content=body)
    assert (completed.status_code, list(completed.json())) == (status, ["error"])
    assert reason in completed.json()["error"]
    assert len(completed.json()["error"]) <= 500


def test_raw_tensors_after_the_json_are_refused(client: Client):
    completed = client.post(
        INFER, content=json.dumps({"inputs": [ONE]}), headers={"Inference-Header-Content-Length": "5"}
    )
    assert completed.status_code == 400
    assert "send `data` as numbers" in completed.json()["error"]


@pytest.mark.parametrize("path", ["/v2/models/other", "/v2/models/other/ready"])
def test_a_model_that_is_not_there_is_not_found(client: Client, path: str):
    completed = client.get(path)
    assert completed.status_code == 404
    assert "grey" in completed.json()["error"]


def test_a_body_of_another_type_is_refused(client: Client):
    completed = client.post(INFER, content=b"<x/>", headers={"content-type": "text/xml"})
    assert completed.status_code == 415
    assert completed.json()["error"] == "Content-Type is 'text/xml'; it must be application/json"
