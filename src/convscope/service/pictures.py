"""The routes for pictures: POST /v1/predict takes the bytes of an image file, and GET /v1/models tells who answers."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field, create_model

from convscope.service import schemas
from convscope.service.answers import Answered, answer_picture, answer_strings, reads_strings
from convscope.service.pages import report_path
from convscope.service.schemas import Asked, AskedOfStrings
from convscope.service.served import Served
from convscope.service.work import Work, check_content_type, documented

PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/tiff", "image/gif")
_BODIES = (*PICTURE_TYPES, "application/octet-stream")


def picture_routes(work: Work) -> APIRouter:
    """Return the routes under /v1."""
    routes = APIRouter(tags=["Pictures"])
    picture: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
    body = {"requestBody": {"required": True, "content": dict.fromkeys(_BODIES, picture)}}
    answers = documented(schemas.PictureAnswer, 400, 404, 408, 413, 415)

    @routes.get("/v1/models", responses=documented(schemas.ServedModels))
    async def models() -> JSONResponse:
        """List the models, with what their answers mean."""
        return JSONResponse({"models": [_described(one) for one in work.models]})

    Queried = _queried(work.names, Asked, len(work.models) == 1)  # noqa: N806 (a type, made here: hence the two "type: ignore" below)

    @routes.post("/v1/predict", responses=answers, openapi_extra=body)
    async def predict(request: Request, asked: Annotated[Queried, Query()]) -> Response:  # type: ignore[valid-type]
        """Answer one picture: PNG, JPEG, WebP, BMP, TIFF or GIF of one page, as the body."""
        return await _answer(work, request, answer_picture, asked)

    readers = tuple(one.name for one in work.models if reads_strings(one))
    QueriedOfStrings = _queried(readers or work.names, AskedOfStrings, len(work.models) == 1)  # noqa: N806
    strings = documented(schemas.StringAnswer, 400, 404, 408, 413, 415)

    @routes.post("/v1/strings", responses=strings, openapi_extra=body)
    async def read_strings(request: Request, asked: Annotated[QueriedOfStrings, Query()]) -> Response:  # type: ignore[valid-type]
        """Find all that is written in a picture, and read it line by line."""
        return await _answer(work, request, answer_strings, asked)

    return routes


async def _answer(work: Work, request: Request, function: Callable[..., Answered], asked: Any) -> Response:
    served = work.model(asked.model)
    check_content_type(request, _BODIES)
    content = await request.body()
    found = await work.compute(request, served, partial(function, served, content, asked, work.limits.pixels))
    work.count(served, found.num_images, found.num_rejected)
    return Response(found.body, media_type="application/json")


def _queried(names: tuple[str, ...], base: type[AskedOfStrings], is_only: bool) -> Any:
    """Return `base` for these models: their names are documented, and one must be given unless it is the only one."""
    about = Field(
        default=None if is_only else ..., description="Name of the model.", json_schema_extra={"enum": [*names]}
    )
    return create_model(base.__name__, __base__=base, model=(str, about))


def _described(served: Served) -> dict[str, Any]:
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
        "report": report_path(served),
    }
