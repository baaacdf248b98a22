"""What all routes share: the models by name, the limits, the counters, and the threads that compute."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any, TypeVar

from fastapi import Request

from convscope.service.limits import Limits
from convscope.service.metrics import Metrics
from convscope.service.observe import FACTS
from convscope.service.refusal import RefusedError
from convscope.service.schemas import Error
from convscope.service.served import Served

_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class Work:
    """The state of one application; nothing of it changes but the counters."""

    models: tuple[Served, ...]
    limits: Limits
    metrics: Metrics
    threads: ThreadPoolExecutor = field(repr=False)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.models)

    def model(self, name: str | None) -> Served:
        """Return the model of this name, or without one the first; raises `RefusedError` if there is none such."""
        if name is None:
            return self.models[0]
        for one in self.models:
            if one.name == name:
                return one
        raise RefusedError(404, f"there is no model {name!r:.80}; there are {', '.join(self.names)}")

    async def compute(self, request: Request, served: Served, function: Callable[[], _Result]) -> _Result:
        """Return what `function` gives, called in one of the threads, once one is free."""
        request.scope.get(FACTS, {})["model"] = served.name

        def timed() -> _Result:
            with self.metrics.computing.labels(served.name).time():
                start = perf_counter()
                result = function()
                request.scope.get(FACTS, {})["computing_seconds"] = round(perf_counter() - start, 6)
                return result

        return await asyncio.get_running_loop().run_in_executor(self.threads, timed)

    def count(self, served: Served, num_images: int, num_rejected: int) -> None:
        self.metrics.images.labels(served.name).inc(num_images)
        self.metrics.rejected.labels(served.name).inc(num_rejected)


def check_content_type(request: Request, allowed: tuple[str, ...]) -> None:
    """Raise `RefusedError` unless the body says that it is of one of the allowed types, or does not say."""
    told = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if told and told not in allowed:
        raise RefusedError(415, f"Content-Type is {told!r:.80}; it must be {' or '.join(allowed)}")


def documented(model: Any, *statuses: int, description: str = "The answer.") -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI tells of a route's answers: the good one, and those errors that it can give."""
    reasons = {
        400: "The request is wrong; the reason says what.",
        404: "There is no such model.",
        408: "The body did not arrive in time.",
        413: "The body, the picture or the number of images is too large.",
        415: "The body is of a type that is not read, or compressed.",
        421: "The Host header names another host.",
        503: "The service has too much to do; try again.",
    }
    good: dict[str, Any] = {"description": description} | ({} if model is None else {"model": model})
    bad: dict[int | str, dict[str, Any]] = {
        status: {"model": Error, "description": reasons[status]} for status in (*statuses, 421, 503)
    }
    return {200: good, **bad}
