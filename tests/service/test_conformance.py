"""Schemathesis sends generated requests and checks the service against its own OpenAPI document."""

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, settings, strategies as st
from tests.shared import encode_picture

from convscope.data.image_files import MEDIA_TYPES
from convscope.evidence.rejection import RejectionRule
from convscope.service import Served, create_app

from .conftest import colour_model, grey_model


@st.composite
def picture_files(draw: st.DrawFn, kind: str) -> bytes:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    seed, grey = draw(st.integers(0, 9)), draw(st.booleans())
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return encode_picture(pixels[..., 0] if grey else pixels, kind)


for media_type in (*MEDIA_TYPES, "application/octet-stream"):
    kind = media_type.partition("/")[2].replace("octet-stream", "png")
    schemathesis.openapi.media_type(media_type, picture_files(kind))

MODELS = (
    Served("grey", grey_model(), None, RejectionRule.from_dict(grey_model().calibration["rejection"])),
    Served("colour", colour_model()),
)
schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(MODELS, hosts=None))


def teardown_module():
    for served in MODELS:
        served.model.__dict__.pop("network", None)  # the network complains if it lives as long as the interpreter


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_responses_match_the_openapi_document(case: schemathesis.Case):
    case.call_and_validate()
