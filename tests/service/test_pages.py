"""The pages of the service: the report of a run, and the list of several runs."""

import re

import pytest

from convscope.report.document import live_policy
from convscope.service import Served, create_app
from convscope.service.pages import REPORT_POLICY

from .conftest import REPORT, Client, grey_model


def test_the_page_of_the_only_run_is_its_report(client: Client):
    for path in ("/", "/runs/grey", "/runs/grey/"):
        completed = client.get(path)
        assert (completed.status_code, completed.text) == (200, REPORT)
        assert completed.headers["content-type"] == "text/html; charset=utf-8"
        assert completed.headers["content-security-policy"].startswith(REPORT_POLICY)


def test_a_report_may_run_only_its_own_scripts():
    assert re.sub("'sha256-[^']+'", "'unsafe-inline'", live_policy("let a = 1;")) == REPORT_POLICY


def test_the_pages_of_several_runs_are_named_with_the_models(client_of_both: Client):
    completed = client_of_both.get("/")
    assert (completed.status_code, "/v1/models" in completed.json()["error"]) == (404, True)
    assert client_of_both.get("/runs/grey/").text == REPORT


def test_a_run_without_a_report_says_how_to_make_one(client_of_both: Client):
    completed = client_of_both.get("/runs/colour/")
    assert completed.status_code == 404
    assert "convscope report RUN" in completed.json()["error"]


def test_a_run_of_any_name_has_a_link_that_works(both: tuple[Served, ...]):
    client = Client(create_app([Served('a "b"% ü?#', grey_model(), both[0].report), both[1]]))
    first, _ = client.get("/v1/models").json()["models"]
    assert client.get(first["report"]).text == REPORT


@pytest.mark.parametrize(
    "path",
    [
        "/runs/grey/model.safetensors", "/runs/grey/../../colour.safetensors", "/runs/..%2f..%2fcolour.safetensors",
        "/model.safetensors", "/report.html", "/runs/", "/docs", "/redoc",
    ],
)  # fmt: skip
def test_no_other_file_of_a_run_is_served(client: Client, path: str):
    assert client.get(path).status_code == 404


def test_the_document_leads_nowhere_else(client_of_both: Client):
    assert not re.search(r"https?://(?!www\.w3\.org)", client_of_both.get("/openapi.json").text)
