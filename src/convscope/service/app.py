"""Create the application: routes, error handlers, guard and log around the models."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from convscope.service import schemas
from convscope.service.guard import HEALTH, LOOPBACK, GuardMiddleware
from convscope.service.limits import Limits, Waiting
from convscope.service.observe import ObserverMiddleware
from convscope.service.pages import make_page_routes
from convscope.service.pictures import make_picture_routes
from convscope.service.refusal import handle_errors
from convscope.service.served import Served
from convscope.service.work import Work, describe_responses


class _App(FastAPI):
    """FastAPI with an OpenAPI document that lists only responses that the service gives."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()  # also stores it as `self.openapi_schema`, which the lines below change
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)  # FastAPI's status for invalid requests; ours is 400
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
        assert self.openapi_schema is not None
        return self.openapi_schema


def create_app(
    models: Sequence[Served], limits: Limits | None = None, hosts: Collection[str] | None = LOOPBACK
) -> FastAPI:
    """Create the ASGI application that serves `models`.

    Args:
        models: at least one, with different names; see `load_served`.
        hosts: the names that a request may have as its Host, in lower case and without a port; None for all. They stop
            DNS rebinding: a web page whose host name was changed to point to this machine.

    Raises:
        ValueError: without models, or if two have the same name.
    """
    limits = limits or Limits()
    if not models or len({model.name for model in models}) != len(models):
        raise ValueError(
            f"models are called {[model.name for model in models]}; give at least one, each with its own name"
        )
    threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="convscope")
    waiting = Waiting()
    work = Work(tuple(models), limits, threads, waiting)

    app = _App(
        title="convscope",
        version=version("convscope"),
        summary="Trained convolutional networks over HTTP.",
        docs_url=None,  # both pages of FastAPI load scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.work = work  # `serve` reads it
    handle_errors(app)

    @app.get(HEALTH, tags=["Operation"], responses=describe_responses(schemas.Ready))
    async def health() -> JSONResponse:
        """Confirm that all models are loaded; before, no request is answered."""
        return JSONResponse({"ready": True})

    app.include_router(make_picture_routes(work))
    app.include_router(make_page_routes(work))
    names = None if hosts is None else frozenset(hosts)
    # The last one added is the outermost: the observer also logs what the guard refuses.
    app.add_middleware(GuardMiddleware, limits=limits, waiting=waiting, hosts=names)
    app.add_middleware(ObserverMiddleware)
    return app
