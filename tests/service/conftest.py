"""Two small untrained models on disk, their application, and a client that reaches it without a network."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from convscope.architecture import Architecture, Conv2D, Dense, Flatten, Input, presets
from convscope.data.handwriting import Handwriting
from convscope.engine import initial_weights
from convscope.evidence.rejection import RejectionRule
from convscope.service import Limits, Served, create_app, load_served
from convscope.storage import save_model
from convscope.training.model import Model

REPORT = '<!DOCTYPE html><title>report</title><script>document.title = "read"</script>'


def grey_model() -> Model:
    """Return a model of 8 × 8 grey images, with class names that HTML or a terminal may obey and a rejection rule."""
    layers = (Conv2D(4, name="conv2d"), Flatten(name="flatten"), Dense(3, name="dense"))
    network = Architecture(Input(8, 8, 1), layers, "small")
    scores = {"thresholds": {"max_probability": 0.5}, "medians": {"max_probability": 0.9}, "keep": 0.99}
    rule = RejectionRule(**scores, num_held_out=100, num_kept=99, num_made_up=100, made_up={"patches": 0.9})
    return Model(
        network,
        initial_weights(network, 1),
        ("</script>", "zwei", "\N{GREEK SMALL LETTER ALPHA}\N{RIGHT-TO-LEFT OVERRIDE}"),
        {"dataset": "made up"},
        {"temperature": 2.0, "rejection": rule.to_dict()},
        Handwriting("light", 6),
    )


def colour_model() -> Model:
    """Return a model of 12 × 10 colour images, without a rejection rule, a temperature or a preparation of pictures."""
    network = presets.cnn((12, 10, 3), 2)
    return Model(network, initial_weights(network, 2), ("a", "b"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `grey`, the run of the grey model with a report, and `colour.safetensors`."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "grey").mkdir()
    save_model(grey_model(), folder / "grey" / "model.safetensors")
    (folder / "grey" / "report.html").write_text(REPORT)
    save_model(colour_model(), folder / "colour.safetensors")
    return folder


@pytest.fixture(scope="session")
def grey(folder: Path) -> Served:
    return load_served([str(folder / "grey")])[0]


@pytest.fixture(scope="session")
def both(folder: Path) -> tuple[Served, ...]:
    return load_served([str(folder / "grey"), str(folder / "colour.safetensors")])


class Client:
    """Sends requests to an application, each in an event loop of its own."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(send())

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("POST", path, **arguments)


@pytest.fixture
def client(grey: Served) -> Client:
    return Client(create_app([grey], Limits(threads=2)))


@pytest.fixture
def client_of_both(both: tuple[Served, ...]) -> Client:
    return Client(create_app(both, Limits(threads=2)))


@pytest.fixture
def images() -> np.ndarray:
    """Two images (8, 8, 1) of noise."""
    return np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1)).astype(np.uint8)
