"""The JSON of requests and answers, as pydantic models, which check requests and describe both for OpenAPI."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from convscope.data.handwriting import Step
from convscope.evidence.explanation import Method

OutputName = Literal["logits", "probabilities", "calibrated_probabilities", "label", "none_of_these"]
InputType = Literal["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64"]

EXPLAINED_BY: Method = "gradient_times_input"
"""The attribution method of answers by default. On MNIST it orders pixels as well as `integrated_gradients` does
(docs/methods/attributions.md), in a tenth of the time."""

Parameters = dict[str, bool | int | float | str]

# Any list for pydantic; `read_images` checks the values, as an array.
_Values = Annotated[
    list[Any],
    WithJsonSchema(
        {
            "type": "array",
            "description": "Whole numbers from 0 to 255: a list of N · H · W · C, or lists within lists.",
            "items": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 255}, {"type": "array", "items": {}}]},
        }
    ),
]


class _Strict(BaseModel):
    # Unknown fields are refused, and so are values of another JSON type, such as "1" for 1.
    model_config = ConfigDict(extra="forbid", strict=True)


class InputTensor(_Strict):
    """The images (N, H, W, C), their values 0 to 255 as in the data set."""

    name: Literal["images"]
    shape: list[Annotated[int, Field(ge=1, le=1 << 31)]] = Field(
        min_length=4, max_length=4, description="N, height, width, channels."
    )
    datatype: InputType
    parameters: Parameters = {}
    data: _Values


class RequestedOutput(_Strict):
    """An output that is wanted."""

    name: OutputName
    parameters: Parameters = {}


class InferRequest(_Strict):
    """A request for inference; without `outputs` all are given."""

    id: str | None = Field(default=None, max_length=256, description="Returned with the response.")
    parameters: Parameters = {}
    inputs: list[InputTensor] = Field(min_length=1, max_length=1)
    outputs: list[RequestedOutput] | None = Field(default=None, max_length=5)


class OutputTensor(BaseModel):
    """An output; `data` is flat."""

    name: OutputName
    shape: list[int]
    datatype: Literal["FP32", "INT64", "BOOL"]
    data: list[float | int | bool]


class InferResponse(BaseModel):
    """The answer to a request for inference."""

    model_name: str
    model_version: str
    id: str = ""
    outputs: list[OutputTensor]


class Error(BaseModel):
    """Why a request was not answered."""

    error: str


class Live(BaseModel):
    """That the service runs."""

    live: bool


class Ready(BaseModel):
    """That all its models are loaded."""

    ready: bool


class Server(BaseModel):
    """The name and version of the service, and the protocol's extensions that it supports."""

    name: str
    version: str
    extensions: list[str]


class ModelReady(BaseModel):
    """That one model is loaded."""

    name: str
    ready: bool


class TensorDescription(BaseModel):
    """The description of an input or output; -1 stands for any number."""

    name: str
    datatype: str
    shape: list[int]


class ModelDescription(BaseModel):
    """A model as the protocol describes it."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorDescription]
    outputs: list[TensorDescription]


class ServedModel(BaseModel):
    """A model with what its answers mean."""

    name: str
    version: str
    architecture: str
    input_shape: list[int] = Field(description="Height, width, channels.")
    class_names: list[str]
    parameters: int
    weights_sha256: str
    temperature: float = Field(description="Divides the logits before the softmax; 1 if none was fitted.")
    can_reject: bool = Field(description="Whether the model can answer that an image is none of its classes.")
    handwriting: dict[str, Any] | None = Field(
        description="How a photo is converted to an image for the model; null if unknown."
    )
    report: str | None = Field(description="Path of its page; null if it has none.")


class ServedModels(BaseModel):
    """All models."""

    models: list[ServedModel]


class StringsQuery(BaseModel):
    """The query of a request on a picture of several characters; the routes list the models."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    explain: bool = Field(default=True, description="Return the picture after each step, and the attribution.")
    method: Method = Field(default=EXPLAINED_BY, description="Attribution method.")


class PictureQuery(StringsQuery):
    """The query of a request on a picture."""

    steps: list[Step] = Field(default=[], description="Use these steps instead of the model's own.")
    without: list[Step] = Field(default=[], description="Omit these steps.")


class Answer(BaseModel):
    """A class and its probability."""

    label: int
    class_name: str
    probability: float


class StagePicture(BaseModel):
    """The picture after a step; `on` tells whether the step was taken."""

    name: str
    on: bool
    size: list[int] = Field(description="Height and width.")
    picture: str = Field(description="PNG, in base64.")


class Attribution(BaseModel):
    """The contribution of each pixel to the logit of the prediction: above zero for it, below against it."""

    method: Method
    label: int
    values: list[list[float]] = Field(description="One row per row of the prepared image.")
    picture: str = Field(
        description="The same as a transparent PNG in base64: orange supports the prediction, blue opposes it."
    )


class PictureAnswer(Answer):
    """The answer to a picture: what `convscope predict --json` prints of one, and with `explain` what it rests on."""

    model: str
    version: str
    file: None
    runner_up: Answer | None
    probabilities: list[float]
    is_calibrated: bool
    none_of_these: bool | None = Field(description="Whether the model's rule refuses it; null if it has no rule.")
    size: list[int]
    is_as_made: bool
    is_assumed: bool
    steps: list[str]
    hints: list[str]
    clipped: float
    stages: list[StagePicture] = []
    attribution: Attribution | None = None


class Digit(BaseModel):
    """One of the things that were found written, with its answer."""

    box: list[float] = Field(description="Left, top, right and bottom in pixels of the picture.")
    label: int
    class_name: str
    probability: float
    stages: list[StagePicture] = []
    attribution: Attribution | None = None


class StringAnswer(BaseModel):
    """The characters read in a picture, as `convscope predict --strings --json` prints them."""

    model: str
    version: str
    file: None
    lines: list[str] = Field(description="The recognised text.")
    digits: list[Digit] = Field(description="In reading order.")
