"""The routes of the Open Inference Protocol v2: health, metadata, inference."""

from functools import partial
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response

from convscope.service import schemas
from convscope.service.inference import infer, list_outputs
from convscope.service.refusal import RequestRefusedError
from convscope.service.served import Served
from convscope.service.work import Work, check_content_type, describe_responses


def make_protocol_routes(work: Work) -> APIRouter:
    """Make the routes under /v2."""
    routes = APIRouter(tags=["Open Inference Protocol v2"])
    # OpenAPI lists the names; an unknown one is refused by `work.model`, with a reason.
    Name = Annotated[str, Path(json_schema_extra={"enum": list(work.names)})]  # noqa: N806 (a type)

    @routes.get("/v2/health/live", responses=describe_responses(schemas.Live))
    async def live() -> JSONResponse:
        """Confirm that the service runs."""
        return JSONResponse({"live": True})

    @routes.get("/v2/health/ready", responses=describe_responses(schemas.Ready))
    async def ready() -> JSONResponse:
        """Confirm that all models are loaded; before, no request is answered."""
        return JSONResponse({"ready": True})

    @routes.get("/v2", responses=describe_responses(schemas.Server))
    async def server() -> JSONResponse:
        """Return the name and version of the service; it supports no extension of the protocol."""
        return JSONResponse({"name": "convscope", "version": version("convscope"), "extensions": []})

    @routes.get("/v2/models/{model_name}", responses=describe_responses(schemas.ModelDescription, 404))
    async def model(model_name: Name) -> JSONResponse:
        """Describe a model: its input and outputs."""
        return JSONResponse(_describe_model(work.model(model_name)))

    @routes.get("/v2/models/{model_name}/ready", responses=describe_responses(schemas.ModelReady, 404))
    async def model_ready(model_name: Name) -> JSONResponse:
        """Confirm that a model is loaded."""
        return JSONResponse({"name": work.model(model_name).name, "ready": True})

    bodies = _describe_bodies(work.models[0])
    answers = describe_responses(schemas.InferResponse, 400, 404, 408, 413, 415)

    @routes.post("/v2/models/{model_name}/infer", responses=answers, openapi_extra=bodies)
    async def model_infer(request: Request, model_name: Name) -> Response:
        """Classify images."""
        served = work.model(model_name)
        check_content_type(request, ("application/json",))
        # The header of the protocol's binary extension, with which Triton's client sends raw tensors after the JSON.
        if "inference-header-content-length" in request.headers:
            reason = "raw tensors after the JSON are not supported; send `data` as numbers (Triton: binary_data=False)"
            raise RequestRefusedError(400, reason)
        body = await request.body()
        answer = await work.compute(request, served, partial(infer, served, body, work.limits.images))
        return Response(answer, media_type="application/json")

    return routes


def _describe_model(served: Served) -> dict[str, Any]:
    architecture = served.model.architecture
    # -1 stands for the number of images.
    shapes = {"label": ("INT64", [-1]), "none_of_these": ("BOOL", [-1])}
    outputs = [(name, *shapes.get(name, ("FP32", [-1, architecture.num_classes]))) for name in list_outputs(served)]
    return {
        "name": served.name,
        "versions": [served.version],
        "platform": "convscope",
        "inputs": [{"name": "images", "datatype": "UINT8", "shape": [-1, *architecture.input.shape]}],
        "outputs": [{"name": name, "datatype": datatype, "shape": shape} for name, datatype, shape in outputs],
    }


def _describe_bodies(served: Served) -> dict[str, Any]:
    """Describe the body of a request for OpenAPI, with an example for the first model."""
    height, width, channels = served.model.architecture.input.shape
    pixels = [0] * (height * width * channels)
    images = {"name": "images", "shape": [1, height, width, channels], "datatype": "UINT8", "data": pixels}
    example = {"id": "1", "inputs": [images], "outputs": [{"name": "probabilities"}, {"name": "label"}]}
    schema = schemas.InferRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs")  # its parts are components of the document
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}
