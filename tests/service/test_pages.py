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


def test_several_runs_are_listed_with_links_to_their_reports(client_of_both: Client):
    completed = client_of_both.get("/")
    assert '<a href="/runs/grey/">grey</a>' in completed.text
    assert "colour</a>" not in completed.text
    assert "script" not in completed.headers["content-security-policy"]
    assert client_of_both.get("/runs/grey/").text == REPORT


def test_a_run_without_a_report_says_how_to_make_one(client_of_both: Client):
    completed = client_of_both.get("/runs/colour/")
    assert completed.status_code == 404
    assert "convscope report RUN" in completed.json()["error"]


def test_the_name_of_a_run_is_text_and_never_markup():
    name = '<img src=x onerror="alert(1)">&amp; ü'
    served = Served(name, grey_model())
    text = Client(create_app([served])).get("/").text
    assert "<img" not in text
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;amp; ü" in text


def test_a_run_of_any_name_has_a_link_that_works(both: tuple[Served, ...]):
    client = Client(create_app([Served('a "b"% ü?#', grey_model(), both[0].report), both[1]]))
    link = re.search(r'<a href="(/runs/[^"]*)">', client.get("/").text)
    assert link is not None
    assert client.get(link[1]).text == REPORT


@pytest.mark.parametrize(
    "path",
    [
        "/runs/grey/model.safetensors", "/runs/grey/../../colour.safetensors", "/runs/..%2f..%2fcolour.safetensors",
        "/model.safetensors", "/report.html", "/runs/", "/docs", "/redoc",
    ],
)  # fmt: skip
def test_no_other_file_of_a_run_is_served(client: Client, path: str):
    assert client.get(path).status_code == 404


def test_no_page_or_document_leads_elsewhere(client_of_both: Client):
    for path in ("/", "/openapi.json"):
        assert not re.search(r"https?://(?!www\.w3\.org)", client_of_both.get(path).text)
