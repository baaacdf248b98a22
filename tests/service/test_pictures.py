"""POST /v1/predict and /v1/strings: predictions of pictures, with steps and attribution, and what is refused."""

import struct
import zlib
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from tests.shared import encode_picture

from convscope.data.handwriting import STEPS
from convscope.data.image_files import MEDIA_TYPES
from convscope.prediction import map_predictions, predict
from convscope.prediction.strings import read_strings
from convscope.service import Limits, Served, create_app

from .conftest import Client


def stroke(height: int = 60, width: int = 80) -> np.ndarray:
    """A dark stroke on paper (height, width)."""
    pixels = np.full((height, width), 230, np.uint8)
    pixels[10:50, 30:38] = 20
    return pixels


def decode_picture(text: str) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(b64decode(text))))


def test_the_answer_equals_predict(client: Client, grey: Served):
    completed = client.post("/v1/predict", content=encode_picture(stroke()), headers={"content-type": "image/png"})
    assert completed.status_code == 200
    response = completed.json()
    (expected,) = predict(grey.model, [stroke()], names=[""])
    assert (response["model"], response["version"]) == ("grey", grey.version)
    same = expected.to_dict() | {"file": None}
    assert {key: response[key] for key in same} == same
    assert response["size"] == [60, 80]


def test_the_answer_comes_with_the_picture_after_each_step(client: Client, grey: Served):
    response = client.post("/v1/predict", content=encode_picture(stroke())).json()
    (expected,) = predict(grey.model, [stroke()])
    stages = expected.prepared.stages
    assert [(step["name"], step["on"], step["size"]) for step in response["stages"]] == [
        (stage.name, stage.is_taken, [*stage.pixels.shape[:2]]) for stage in stages
    ]
    for step, stage in zip(response["stages"], stages, strict=True):
        assert np.array_equal(decode_picture(step["picture"]), stage.pixels[..., 0])


@pytest.mark.parametrize("method", [None, "integrated_gradients"])
def test_the_answer_comes_with_its_attribution(client: Client, grey: Served, method: str | None):
    query = {} if method is None else {"method": method}
    attribution = client.post("/v1/predict", params=query, content=encode_picture(stroke())).json()["attribution"]
    assert attribution["method"] == (method or "gradient_times_input")
    expected = map_predictions(grey.model, predict(grey.model, [stroke()]), method=attribution["method"])[0]
    np.testing.assert_allclose(attribution["values"], expected, rtol=1e-5)
    overlay = decode_picture(attribution["picture"])
    assert overlay.shape == (8, 8, 4)
    strongest = np.unravel_index(np.abs(expected).argmax(), expected.shape)
    assert overlay[strongest][3] == 255
    assert (overlay[strongest][0] > overlay[strongest][2]) == (expected[strongest] > 0)  # orange is for, blue against


def test_steps_can_be_chosen_and_left_out(client: Client, grey: Served):
    assert grey.model.handwriting is not None
    own = [step for step in STEPS if step in grey.model.handwriting.steps]
    for query, steps in {
        "explain=true": own,
        "without=crop&without=scale": [step for step in own if step not in ("crop", "scale")],
        "steps=polarity&steps=centre": ["polarity", "centre"],
        "steps=polarity&steps=centre&without=centre": ["polarity"],
    }.items():
        assert client.post(f"/v1/predict?{query}", content=encode_picture(stroke())).json()["steps"] == steps


@pytest.mark.parametrize("kind", sorted(MEDIA_TYPES))
def test_pictures_of_every_type_are_read(client_of_both: Client, kind: str):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 3)).astype(np.uint8)
    content = encode_picture(pixels, kind.partition("/")[2])
    completed = client_of_both.post("/v1/predict?model=colour", content=content, headers={"content-type": kind})
    assert completed.status_code == 200
    assert completed.json()["none_of_these"] is None
    assert decode_picture(completed.json()["stages"][-1]["picture"]).shape == (12, 10, 3)


def test_a_request_must_name_one_of_several_models(client_of_both: Client):
    completed = client_of_both.post("/v1/predict", content=encode_picture(stroke()))
    assert (completed.status_code, completed.json()) == (400, {"error": "model: Field required"})
    assert client_of_both.post("/v1/predict?model=none", content=encode_picture(stroke())).status_code == 404


def test_the_models_are_listed_with_what_their_answers_mean(client_of_both: Client, grey: Served):
    first, second = client_of_both.get("/v1/models").json()["models"]
    assert first == {
        "name": "grey",
        "version": grey.version,
        "architecture": "small",
        "input_shape": [8, 8, 1],
        "class_names": list(grey.model.class_names),
        "parameters": grey.model.architecture.parameters,
        "weights_sha256": grey.model.weights_sha256,
        "temperature": 2.0,
        "can_reject": True,
        "handwriting": {"ink": "light", "target": 6, "threshold": 0.2, "centre": True},
        "report": "/runs/grey/",
    }
    assert (second["can_reject"], second["handwriting"], second["report"]) == (False, None, None)


def make_small_png(height: int, width: int) -> bytes:
    """Return a PNG of a few bytes whose header states this size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


WHOLE = encode_picture(np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8))


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"no picture", 400),
        (b"GIF89a", 400),
        (WHOLE[: len(WHOLE) // 2], 400),
        (WHOLE[:40], 400),
        (encode_picture(stroke(), "JPEG")[:300], 400),
        (b"%PDF-1.7", 400),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 400),
        (make_small_png(10_000, 10_000), 400),
        (make_small_png(1 << 30, 1 << 30), 400),
        (make_small_png(200, 201), 413),
    ],
)
def test_invalid_and_large_pictures_are_refused_with_a_reason(grey: Served, content: bytes, status: int):
    completed = Client(create_app([grey], Limits(pixels=40_000))).post("/v1/predict", content=content)
    assert (completed.status_code, list(completed.json())) == (status, ["error"])
    assert "picture" in completed.json()["error"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("explain=perhaps", "explain: Input should be a valid boolean"),
        ("explian=true", "explian: Extra inputs are not permitted"),
        ("method=magic", "method: Input should be 'gradient_times_input'"),
        ("without=everything", "without.0: Input should be 'polarity'"),
        ("steps=", "steps.0: Input should be 'polarity'"),
    ],
)
def test_an_unknown_query_is_refused(client: Client, query: str, reason: str):
    completed = client.post(f"/v1/predict?{query}", content=encode_picture(stroke()))
    assert completed.status_code == 400
    assert reason in completed.json()["error"]


def two_strokes() -> np.ndarray:
    """Two dark strokes beside each other on paper (60, 120)."""
    pixels = np.full((60, 120), 230, np.uint8)
    pixels[10:50, 30:38] = pixels[10:50, 70:78] = 20
    return pixels


def test_strings_are_those_of_read_strings(client: Client, grey: Served):
    completed = client.post("/v1/strings", content=encode_picture(two_strokes()))
    assert completed.status_code == 200
    response, expected = completed.json(), read_strings(grey.model, two_strokes(), name="").to_dict()
    assert response["lines"] == expected["lines"]
    for digit, expected_digit in zip(response["digits"], expected["digits"], strict=True):
        assert {key: digit[key] for key in expected_digit} == expected_digit
        assert digit["stages"][0]["name"] == "picture"
        assert np.shape(digit["attribution"]["values"]) == (8, 8)
    plain = client.post("/v1/strings?explain=false", content=encode_picture(two_strokes())).json()
    assert plain["digits"] == expected["digits"]


def test_of_many_characters_only_some_are_explained(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("convscope.service.answers.EXPLAINED_DIGITS", 1)
    digits = client.post("/v1/strings", content=encode_picture(two_strokes())).json()["digits"]
    assert ["stages" in digit for digit in digits] == [True, *[False] * (len(digits) - 1)]
    assert len(digits) >= 1


def test_an_empty_sheet_has_no_strings(client: Client):
    response = client.post("/v1/strings", content=encode_picture(np.full((40, 60), 255, np.uint8))).json()
    assert (response["lines"], response["digits"]) == ([], [])


def test_a_model_that_does_not_read_characters_reads_no_strings(client_of_both: Client):
    completed = client_of_both.post("/v1/strings?model=colour", content=encode_picture(stroke()))
    assert completed.status_code == 400
    assert "does not classify single characters" in completed.json()["error"]


def test_strings_have_no_steps_to_choose(client: Client):
    completed = client.post("/v1/strings?steps=crop", content=encode_picture(stroke()))
    assert completed.status_code == 400
    assert "Extra inputs are not permitted" in completed.json()["error"]
