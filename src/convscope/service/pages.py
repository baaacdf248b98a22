"""Serve pages: the report of a run, or a list of the runs. No other file of a run's folder is served."""

from html import escape
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

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

_FRAMES = "; frame-ancestors 'none'"  # a page cannot state this itself

_LIST = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>convscope</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 44rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.4rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ padding: .4rem .8rem .4rem 0; text-align: left; border-bottom: 1px solid #8884; overflow-wrap: anywhere; }}
code {{ font-size: .9em; }}
</style>
<h1>Trained networks</h1>
<table>
<tr><th>network<th>reads<th>classes<th>version</tr>
{rows}
</table>
<p>What can be asked of them is in <a href="/openapi.json">openapi.json</a>.</p>
</html>
"""


def make_page_routes(work: Work) -> APIRouter:
    """Make the routes of pages, which OpenAPI does not list."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def home() -> Response:
        if len(work.models) == 1 and work.models[0].report is not None:
            return _send_report(work.models[0])
        policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'" + _FRAMES
        html = _LIST.format(rows="\n".join(map(_format_row, work.models)))
        return HTMLResponse(html, headers={"content-security-policy": policy})

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
    headers = {"content-security-policy": REPORT_POLICY + _FRAMES, "cache-control": "no-cache"}
    return FileResponse(path, media_type="text/html", headers=headers)


def _format_row(served: Served) -> str:
    path = make_report_path(served)
    name = escape(served.name) if path is None else f'<a href="{escape(path)}">{escape(served.name)}</a>'
    size = " × ".join(map(str, served.model.architecture.input.shape))
    return f"<tr><td>{name}<td>{size}<td>{len(served.model.class_names)}<td><code>{served.version}</code></tr>"
