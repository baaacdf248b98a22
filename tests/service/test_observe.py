"""Headers and ids of responses and the log."""

import json
import logging
import re

import pytest
from tests.shared import encode_picture

from convscope.service.logs import LOGGER, JsonFormatter
from convscope.service.observe import SAFE_HEADERS

from .conftest import Client
from .test_pictures import stroke

PICTURE = encode_picture(stroke())


def test_every_answer_has_safe_headers_and_none_allows_other_sites(client: Client):
    for path in ("/health", "/nothing", "/v1/models"):
        headers = client.get(path, headers={"origin": "http://elsewhere.example"}).headers
        assert SAFE_HEADERS.items() <= dict(headers).items()
        assert not any(name.startswith("access-control") for name in headers)


def test_a_harmless_request_id_is_returned_and_any_other_replaced(client: Client):
    assert client.get("/health", headers={"x-request-id": "a-B_9."}).headers["x-request-id"] == "a-B_9."
    for request_id in ("", "a b", "x" * 65, 'x","y":"'):
        replacement = client.get("/health", headers={"x-request-id": request_id}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", replacement)


def test_a_request_is_one_line_of_json_without_its_image(client: Client, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, LOGGER):
        client.post("/v1/predict", content=PICTURE, headers={"x-request-id": "mine"})
    (line,) = [JsonFormatter().format(record) for record in caplog.records if record.name == LOGGER]
    assert "\n" not in line
    entry = json.loads(line)
    assert {key: entry[key] for key in ("id", "method", "path", "status", "model", "level", "message")} == {
        "id": "mine", "method": "POST", "path": "/v1/predict", "status": 200, "model": "grey",
        "level": "info", "message": "request",
    }  # fmt: skip
    assert 0 <= entry["computing_seconds"] <= entry["seconds"]
    assert entry["received_bytes"] == len(PICTURE)
    assert entry["time"].endswith("+00:00")
    assert "data" not in entry


def test_invented_names_of_clients_are_not_logged(client: Client, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, LOGGER):
        client.get("/secret%0A?token=secret", headers={"x-request-id": "secret line"})
    (record,) = [record for record in caplog.records if record.name == LOGGER]
    assert "secret" not in JsonFormatter().format(record)


def test_an_internal_error_is_500_with_an_id_and_its_traceback_in_the_log_alone(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("inner secret")

    monkeypatch.setattr("convscope.service.pictures.answer_picture", broken)
    completed = client.post("/v1/predict", content=PICTURE, headers={"x-request-id": "mine"})
    assert completed.status_code == 500
    assert completed.json() == {"error": "internal error; see the log under request id mine"}
    (record,) = [record for record in caplog.records if record.name == LOGGER]
    entry = json.loads(JsonFormatter().format(record))
    assert entry["level"] == "error"
    assert "inner secret" in entry["exception"]
