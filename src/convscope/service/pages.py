"""Serve the reports of runs. No other file of a run's folder is served."""

from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from convscope.base.errors import RunError
from convscope.base.files import inside, open_file
from convscope.service.refusal import RequestRefusedError
from convscope.service.served import Served
from convscope.service.work import Work

REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; worker-src blob:; "
    "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""The policy that a report also states itself, except for the digest of its script. The file may be from elsewhere, so
the service states it too."""


def make_page_routes(work: Work) -> APIRouter:
    """Make the routes of pages, which OpenAPI does not list."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def home() -> Response:
        if len(work.models) > 1:
            raise RequestRefusedError(404, "there are several models; /v1/models names the page of each")
        return _send_report(work.models[0])

    @routes.api_route("/runs/{name}", methods=["GET", "HEAD"])
    @routes.api_route("/runs/{name}/", methods=["GET", "HEAD"])
    async def run(name: str) -> Response:
        return _send_report(work.model(name))

    return routes


def make_report_path(served: Served) -> str | None:
    """Make the path of a model's page; None if it has none."""
    return None if served.report is None else f"/runs/{quote(served.name, safe='')}/"


def _send_report(served: Served) -> Response:
    path = served.report
    try:
        if path is None:
            raise FileNotFoundError
        open_file(inside(path.parent, path.name)).close()  # since loading, it may have become a link or a pipe
    except (OSError, RunError) as error:
        raise RequestRefusedError(
            404, f"model {served.name!r} has no report.html; create it with: convscope report RUN"
        ) from error
    # Cached, but checked by its modification time: a later command may have written it again.
    # A page cannot state itself that no other page may frame it.
    headers = {"content-security-policy": f"{REPORT_POLICY}; frame-ancestors 'none'", "cache-control": "no-cache"}
    return FileResponse(path, media_type="text/html", headers=headers)
