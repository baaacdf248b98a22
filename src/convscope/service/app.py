"""The application: `create_app` puts routes, errors, guard and counters around the models."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response

from convscope.service import schemas
from convscope.service.guard import LOOPBACK, Guard
from convscope.service.limits import Limits, Waiting
from convscope.service.metrics import Metrics
from convscope.service.observe import Observe
from convscope.service.pages import page_routes
from convscope.service.pictures import picture_routes
from convscope.service.protocol import protocol_routes
from convscope.service.refusal import handle_errors
from convscope.service.served import Served
from convscope.service.work import Work, documented

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _App(FastAPI):
    """FastAPI, whose OpenAPI document does not tell of answers that it never gives."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)  # a wrong request is answered with 400
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
            for extra in (schemas.InferRequest, schemas.InputTensor, schemas.RequestedOutput):
                whole = extra.model_json_schema(ref_template="#/components/schemas/{model}")
                whole.pop("$defs", None)
                document["components"]["schemas"][extra.__name__] = whole
        assert self.openapi_schema is not None
        return self.openapi_schema


def create_app(
    models: Sequence[Served], limits: Limits | None = None, hosts: Collection[str] | None = LOOPBACK
) -> FastAPI:
    """Return the ASGI application that serves `models`.

    Args:
        models: with names of their own each, at least one; see `load_served`.
        hosts: the names that a request may give as its Host, in lower case and without a port; None for all. As it is,
            a page elsewhere whose name was made to mean this machine gets no answer.

    Raises:
        ValueError: without models, or if two have one name.
    """
    limits = limits or Limits()
    if not models or len({model.name for model in models}) != len(models):
        raise ValueError(
            f"models are called {[model.name for model in models]}; give at least one, each with its own name"
        )
    metrics = Metrics(tuple(models))
    threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="convscope")
    waiting = Waiting()
    work = Work(tuple(models), limits, metrics, threads, waiting)

    app = _App(
        title="convscope",
        version=version("convscope"),
        summary="Trained convolutional networks over HTTP.",
        docs_url=None,  # both pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.work = work
    handle_errors(app)

    @app.get(
        "/metrics",
        tags=["Operation"],
        response_class=Response,
        responses={**documented(None), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics_text() -> Response:
        """Give what was counted, in Prometheus's text format."""
        return Response(metrics.text(), media_type=_METRICS_TYPE)

    app.include_router(picture_routes(work))
    app.include_router(protocol_routes(work))
    app.include_router(page_routes(work))
    names = None if hosts is None else frozenset(hosts)
    app.add_middleware(Guard, limits=limits, metrics=metrics, waiting=waiting, hosts=names)
    app.add_middleware(Observe, metrics=metrics)
    return app
