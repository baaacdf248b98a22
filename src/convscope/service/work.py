"""The state that all routes share: the models by name, the limits, and the threads that compute.

A route is a coroutine in the event loop, which must not compute itself. It hands its function to `Work.compute`:

    event loop    too many requests? 503 | waits at most `answer_seconds` ............... | the result, or 503
    a thread                             | waits for a free thread | calls the function   |

Nobody can end a thread. So each request has a `Deadline`, and what the thread computes calls `check_deadline` now and
then: that raises `DeadlineError` when the time is over, or once the event loop has cancelled the deadline.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any, TypeVar

from fastapi import Request

from convscope.base.deadline import Deadline, DeadlineError, check_deadline, within
from convscope.service.limits import Limits, Waiting
from convscope.service.observe import FACTS
from convscope.service.refusal import LATER, STOPPING, RequestRefusedError
from convscope.service.schemas import Error
from convscope.service.served import Served

_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class Work:
    """The state of an application. Only `deadlines` changes, which has one for each request in progress."""

    models: tuple[Served, ...]
    limits: Limits
    threads: ThreadPoolExecutor = field(repr=False)
    waiting: Waiting = field(repr=False)
    deadlines: set[Deadline] = field(default_factory=set, repr=False)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the models."""
        return tuple(model.name for model in self.models)

    def model(self, name: str | None) -> Served:
        """Find a model by its name, None for the first; raises `RequestRefusedError` if there is none."""
        if name is None:
            return self.models[0]
        for model in self.models:
            if model.name == name:
                return model
        raise RequestRefusedError(404, f"there is no model {name!r:.80}; the models are {', '.join(self.names)}")

    async def compute(self, request: Request, served: Served, function: Callable[[], _Result]) -> _Result:
        """Call `function` in a free thread and return its result within the deadline.

        Raises:
            RequestRefusedError: with 503, if there are too many requests, the deadline passes, or the service stops.
        """
        # The queue of the threads itself has no limit: without this one, requests would pile up in memory.
        if len(self.deadlines) >= self.limits.requests:
            reason = f"{len(self.deadlines)} requests are in progress, which is the limit; try again in a second"
            raise RequestRefusedError(503, reason, LATER)
        facts = request.scope.get(FACTS, {})  # the facts of the log line that `ObserverMiddleware` writes
        facts["model"] = served.name
        deadline = Deadline(self.limits.answer_seconds)
        is_started = False  # whether a thread took it; if not, the request only waited for one

        def call_in_thread() -> _Result:
            nonlocal is_started
            is_started = True
            with within(deadline):
                start = perf_counter()
                try:
                    check_deadline()  # it may have passed while the request waited for a thread
                    return function()
                finally:
                    facts["computing_seconds"] = round(perf_counter() - start, 6)

        self.deadlines.add(deadline)
        try:
            async with self.waiting.at_most(self.limits.answer_seconds):
                return await asyncio.get_running_loop().run_in_executor(self.threads, call_in_thread)
        except (TimeoutError, DeadlineError):
            raise self._make_timeout_error(is_started) from None
        finally:  # also after a disconnect: cancelling ends a computation that nobody waits for
            deadline.cancel()
            self.deadlines.discard(deadline)

    def _make_timeout_error(self, is_started: bool) -> RequestRefusedError:
        if self.waiting.stopped:
            return RequestRefusedError(503, STOPPING, LATER | {"connection": "close"})
        late = f"the answer was not ready after {self.limits.answer_seconds:g} s"
        if is_started:
            return RequestRefusedError(503, f"{late}, so it was cancelled; send a smaller or simpler picture")
        reason = f"{late}, because earlier requests are still running; try again in a second"
        return RequestRefusedError(503, reason, LATER)

    def stop(self) -> None:
        """Answer all requests with 503, and let the threads end at their next check of the deadline."""
        self.waiting.stop()
        for deadline in self.deadlines:
            deadline.cancel()


def check_content_type(request: Request, allowed: tuple[str, ...]) -> None:
    """Raise `RequestRefusedError` if the request declares a type that is not allowed."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type and content_type not in allowed:
        raise RequestRefusedError(415, f"Content-Type is {content_type!r:.80}; it must be {' or '.join(allowed)}")


def describe_responses(model: Any, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe a route's responses for OpenAPI: the answer, and the errors that it can return."""
    reasons = {
        400: "The request is wrong; the reason is in the body.",
        404: "There is no such model.",
        408: "The body did not arrive in time.",
        413: "The body or the picture is too large.",
        415: "The type of the body is not supported, or it is compressed.",
        421: "The Host header names another host.",
        503: "The service is overloaded, or the answer took too long; the reason is in the body.",
    }
    good: dict[str, Any] = {"description": "The answer.", "model": model}
    bad: dict[int | str, dict[str, Any]] = {
        status: {"model": Error, "description": reasons[status]} for status in (*statuses, 421, 503)
    }
    return {200: good, **bad}
