"""The routes for pictures: POST /v1/predict takes an image file, GET /v1/models lists the models."""

import shlex
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field, create_model

from convscope.base.png import encode_png
from convscope.data.image_files import FORMAT_NAMES, MEDIA_TYPES
from convscope.service import schemas
from convscope.service.answers import answer_picture, answer_strings, reads_strings
from convscope.service.forms import FIELD, FORM_TYPE, MAX_PARTS, read_picture_from_form
from convscope.service.pages import make_report_path
from convscope.service.schemas import PictureQuery, StringsQuery
from convscope.service.served import Served
from convscope.service.work import Work, check_content_type, describe_responses

_BODIES = (*MEDIA_TYPES, "application/octet-stream")  # the last is the type of any file
_FORM = {
    "type": "object",
    "properties": {FIELD: {"type": "string", "format": "binary"}},
    "required": [FIELD],
    "maxProperties": MAX_PARTS,
}


def make_picture_routes(work: Work) -> APIRouter:
    """Make the routes under /v1."""
    routes = APIRouter(tags=["Pictures"])
    picture: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
    form = {"schema": _FORM, "encoding": {FIELD: {"contentType": ", ".join(MEDIA_TYPES)}}}
    contents = {**dict.fromkeys(_BODIES, picture), FORM_TYPE: form}
    body = {"requestBody": {"required": True, "content": contents}}
    answers = describe_responses(schemas.PictureAnswer, 400, 404, 408, 413, 415)

    @routes.get("/v1/models", responses=describe_responses(schemas.ServedModels))
    async def models() -> JSONResponse:
        """List the models, and what their predictions mean."""
        return JSONResponse({"models": [_describe(model) for model in work.models]})

    # FastAPI describes a query by its type. These types are made here, when the models are known, so that OpenAPI can
    # list their names: hence the two "type: ignore" below.
    PictureQueryType = _make_query_type(work.names, PictureQuery, len(work.models) == 1)  # noqa: N806

    takes = f"Classify one picture ({FORMAT_NAMES}), sent as the body or as the form field `{FIELD}`."

    @routes.post("/v1/predict", responses=answers, openapi_extra=body, description=takes)
    async def predict(request: Request, query: Annotated[PictureQueryType, Query()]) -> Response:  # type: ignore[valid-type]
        return await _answer(work, request, answer_picture, query)

    # Without a model that reads strings all are listed, and `answer_strings` refuses each with its reason.
    readers = tuple(model.name for model in work.models if reads_strings(model))
    StringsQueryType = _make_query_type(readers or work.names, StringsQuery, len(work.models) == 1)  # noqa: N806
    strings = describe_responses(schemas.StringAnswer, 400, 404, 408, 413, 415)

    @routes.post("/v1/strings", responses=strings, openapi_extra=body)
    async def read_strings(request: Request, query: Annotated[StringsQueryType, Query()]) -> Response:  # type: ignore[valid-type]
        """Read all characters in a picture, line by line."""
        return await _answer(work, request, answer_strings, query)

    return routes


def write_example(address: str, models: Sequence[Served], file: str = "-") -> str:
    """Write a shell command that sends a picture to the first of `models`; for "-", a drawing in the command itself."""
    stroke = np.full((28, 28), 255, np.uint8)
    stroke[4:24, 13:16] = 0  # a vertical line, dark on white: a one
    query = {"explain": "false"} | ({"model": models[0].name} if len(models) > 1 else {})
    url = f"{address}/v1/predict?{urlencode(query)}"
    curl = f"curl -F {FIELD}=@{file} {shlex.quote(url)}"
    return curl if file != "-" else f"echo {b64encode(encode_png(stroke)).decode()} | base64 -d | {curl}"


async def _answer(work: Work, request: Request, function: Callable[..., bytes], query: Any) -> Response:
    served = work.model(query.model)
    check_content_type(request, (*_BODIES, FORM_TYPE))
    content, content_type = await request.body(), request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == FORM_TYPE:
        content = read_picture_from_form(content, content_type)
    answer = await work.compute(request, served, partial(function, served, content, query, work.limits.pixels))
    return Response(answer, media_type="application/json")


def _make_query_type(names: tuple[str, ...], base: type[StringsQuery], is_only: bool) -> Any:
    """Make the query type for these models: it lists their names, and needs one unless there is only one model."""
    # `...` stands for a required field in pydantic.
    field = Field(
        default=None if is_only else ..., description="Name of the model.", json_schema_extra={"enum": [*names]}
    )
    return create_model(base.__name__, __base__=base, model=(str, field))


def _describe(served: Served) -> dict[str, Any]:
    model = served.model
    return {
        "name": served.name,
        "version": served.version,
        "architecture": model.name,
        "input_shape": list(model.architecture.input.shape),
        "class_names": list(model.class_names),
        "parameters": model.architecture.parameters,
        "weights_sha256": model.weights_sha256,
        "temperature": float(model.calibration.get("temperature", 1.0)),
        "can_reject": served.rule is not None,
        "handwriting": model.handwriting.to_dict() if model.handwriting else None,
        "report": make_report_path(served),
    }
