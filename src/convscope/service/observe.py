"""Give each request an id, a line in the log and safe headers, outside of everything else.

An exception that nothing else has caught becomes a 500 here, without details of our code.
"""

import logging
import re
from time import perf_counter
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convscope.service.logs import LOGGER
from convscope.service.refusal import RequestRefusedError, send_refusal

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")  # a client's own request id, which is logged and returned
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}

FACTS = "convscope.facts"
"""The key in a request's scope of a dict, to which its route adds facts for the log."""

UNANSWERED = 499
"""The status, in the log, of a request whose client disconnected before the answer; nginx uses it too."""

SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}
"""The headers of every answer, unless its route sets others."""


class ObserverMiddleware:
    """Pure ASGI middleware, the outermost of all."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.log = logging.getLogger(LOGGER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = perf_counter()
        client_id = Headers(scope=scope).get("x-request-id", "")
        request_id = client_id if _ID.fullmatch(client_id) else uuid4().hex
        status, received, sent = 0, 0, 0  # 0 until an answer begins; bytes
        facts = scope[FACTS] = dict[str, object]()

        async def count_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def count_send(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
                headers["x-request-id"] = request_id
            sent += len(message.get("body", b""))
            await send(message)

        failure = None
        try:
            await self.app(scope, count_receive, count_send)
        except ClientDisconnect:
            pass  # nobody is left to answer
        except Exception as error:  # the client gets an answer, and the log the details
            failure = error
            if not status:  # after the beginning of an answer, no other can be sent
                refusal = RequestRefusedError(500, f"internal error; see the log under request id {request_id}")
                await send_refusal(refusal, scope, receive, count_send)
        finally:
            facts = {"id": request_id, **facts, "received_bytes": received, "sent_bytes": sent}
            self._record(scope, status or UNANSWERED, perf_counter() - start, facts, failure)

    def _record(
        self, scope: Scope, status: int, seconds: float, facts: dict[str, object], failure: Exception | None
    ) -> None:
        # The route's pattern, such as /runs/{name}, and not the path, which may hold a client's secrets.
        path = getattr(scope.get("route"), "path", None)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        facts = {"method": method, "path": path, "status": status, "seconds": round(seconds, 6), **facts}
        level = logging.ERROR if status >= 500 and status != 503 else logging.INFO  # 503 is a limit at work
        self.log.log(level, "request", extra={"facts": facts}, exc_info=failure)
