"""Every public function and value refuses a wrong argument by its name."""

from dataclasses import MISSING, fields, is_dataclass
from inspect import isfunction, signature
from typing import Any, TypeVar

import numpy as np
import pytest

import convscope as cs
from convscope.base.arguments import check_seed, checked

FUNCTIONS = {name: value for name in cs.__all__ if isfunction(value := getattr(cs, name))}
FUNCTIONS |= {f"presets.{name}": getattr(cs.presets, name) for name in ("cnn", "ann")}
# Classes of other libraries, which are not imported to look.
ANYTHING = {("from_keras", "keras_model"), ("from_torch", "module")}
ARGUMENTS = [
    (name, parameter)
    for name, function in FUNCTIONS.items()
    for parameter in signature(function).parameters
    if (name, parameter) not in ANYTHING
]
VALUES = {
    cs.Dataset: {"images": np.zeros((2, 4, 4, 1), np.uint8), "labels": np.array([0, 1]), "class_names": ("a", "b")},
    cs.Recipe: {}, cs.Adam: {}, cs.SGD: {}, cs.Augmentation: {}, cs.EarlyStopping: {}, cs.Schedule: {},
    cs.ExportOptions: {}, cs.History: {}, cs.TrainingState: {"weights": {}},
    cs.Input: {"height": 8, "width": 8},
    cs.Conv2D: {"filters": 2}, cs.DepthwiseConv2D: {}, cs.Dense: {"units": 2}, cs.Dropout: {"rate": 0.5},
    cs.MaxPooling2D: {}, cs.AveragePooling2D: {}, cs.ZeroPadding2D: {}, cs.BatchNormalization: {},
    cs.Activation: {}, cs.Add: {"from_layer": "conv2d"}, cs.Branch: {"from_layer": "conv2d"},
    cs.Concatenate: {"from_layer": "conv2d"},
    cs.SoftVoting: {"members": 2}, cs.LayerNormalization: {}, cs.GroupNormalization: {},
    cs.Scaling: {},
    cs.RunSpec: {"dataset": "", "architecture": cs.presets.ann(), "recipe": cs.Recipe(), "seed": 0},
}  # fmt: skip
FIELDS = [(kind, field.name) for kind in VALUES for field in fields(kind) if field.name != "name"]


DATA = cs.Dataset(np.zeros((2, 28, 28, 1), np.uint8), np.array([0, 1]), tuple("0123456789"))
MODEL = cs.Model(
    cs.presets.ann(),
    {name: np.zeros(shape, np.float32) for name, shape in cs.presets.ann().weight_shapes.items()},
    DATA.class_names,
)


class _Strange:
    """A type that no function accepts."""


class _Runner:
    """A stand-in for an exported file, which `measure_parity` compares."""

    runtime = "none"

    def logits(self, images: np.ndarray) -> np.ndarray:
        return np.zeros((len(images), 10), np.float32)


RULE = cs.RejectionRule(thresholds={"energy": 0.0}, medians={"energy": 1.0}, keep=0.9, num_held_out=1, num_kept=1)


@pytest.fixture(scope="module")
def good() -> dict[str, object]:
    """An argument of the right type for each parameter that has no default."""
    model, dataset = MODEL, DATA
    candidate = cs.Candidate.from_model(model, cs.evaluate(model, dataset))
    answers = np.zeros((2, 10))
    return {
        "model": model, "dataset": dataset, "train": dataset, "test": dataset, "splits": cs.Splits(dataset, dataset),
        "data": cs.Splits(dataset, dataset), "architecture": cs.presets.ann, "architectures": [cs.presets.ann],
        "recipe": cs.Recipe(), "images": dataset.images, "labels": dataset.labels, "targets": dataset.labels,
        "method": "gradient_times_input",
        "train_probabilities": answers, "test_probabilities": answers, "y_prob": answers,
        "logits": answers, "held_out_logits": answers, "held_out_labels": dataset.labels, "fitted_on": "siblings",
        "a": candidate, "b": candidate, "groups": [], "name": "gaussian_noise", "strength": 1, "path": "model",
        "format": "onnx", "parts": [], "keras_model": None, "name_or_path": "mnist", "dtype": "float32",
        "module": None, "pictures": [], "source": "a.png", "picture": dataset.images[0], "layer": "dense", "specs": [],
        "image_shape": (28, 28, 1), "class_names": ("a", "b"), "runner": _Runner(),
        "members": [model, model], "experiment": "runs", "rule": RULE,
    }  # fmt: skip


@pytest.mark.parametrize(("name", "parameter"), ARGUMENTS)
def test_a_function_names_the_argument_of_a_wrong_type(name, parameter, good):
    function = FUNCTIONS[name]
    declared = signature(function).parameters.values()
    arguments = {required.name: good[required.name] for required in declared if required.default is required.empty}
    if name in ("compare_groups", "plan"):  # here `a` and `b` are groups of runs
        answers = np.zeros((1, 2), int)
        group = cs.RunGroup("g", (0,), answers[0], answers, "x", "test", 1, 1, 1)
        arguments |= {"a": group, "b": group}
    if name == "diff":
        arguments |= {"a": MODEL, "b": MODEL}
    arguments[parameter] = _Strange()
    with pytest.raises((TypeError, ValueError), match=rf"^{parameter}\b.*it must be "):
        function(**arguments)


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_a_value_names_the_field_of_a_wrong_type(kind, name):
    with pytest.raises((TypeError, ValueError), match=rf"\b{name}\b|of kind"):
        kind(**(VALUES[kind] | {name: _Strange()}))


def test_every_public_class_is_tested():
    made_by_users = {
        value
        for name in cs.__all__
        if is_dataclass(value := getattr(cs, name))
        and "__post_init__" in vars(value)
        and all(field.default is not MISSING or field.default_factory is not MISSING for field in fields(value))
    }
    assert made_by_users <= VALUES.keys()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cs.train("cn", DATA), "architecture is 'cn'; it must be one of cnn, ann.*did you mean 'cnn'"),
        (lambda: cs.train(3, DATA), "architecture is 3; it must be an Architecture, the name of a preset"),
        (lambda: cs.train("ann", DATA, epochs=3), "train: got an unexpected keyword argument 'epochs'"),
        (lambda: cs.train("ann", (DATA, DATA)), "data is a pair of data sets; use Splits"),
        (lambda: cs.train("ann", ([[1, 2]], [0])), r"data: images are rows of 2 numbers; state .* image_shape"),
        (lambda: cs.evaluate(MODEL, DATA.images, DATA.labels), "dataset is an array of uint8 .* a Dataset, or a pair"),
        (lambda: cs.compare(MODEL, MODEL), r"a is a Model; .* cs.Candidate.from_model\(model, evaluation\)"),
        (lambda: cs.predict(MODEL, ["a.png"]), r"pictures\[0\] is 'a.png'; .* cs.read_picture\(path\)"),
        (lambda: cs.run_experiment(["ann"], "mnist", seeds=3), r"seeds is 3; .* such as range\(3\)"),
        (lambda: cs.Dataset(DATA.images, [0, 1], DATA.class_names), r"labels is \[0, 1\]; .*Dataset.from_arrays"),
        (lambda: cs.Recipe(optimizer="adam"), r"optimizer is 'adam'; .* cs.Adam\(learning_rate=0.001\)"),
        (lambda: MODEL.predict([[1]]), r"images is \[\[1\]\]; it must be an array of uint8 \(N, 28, 28, 1\)"),
    ],
)
def test_an_error_says_what_to_do_next(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


@pytest.mark.parametrize("seed", [1.0, "a", True, None, np.float64(1), np.bool_(True), -1, np.int8(-1)])
def test_a_seed_is_a_whole_number_from_0(seed, good):
    for call in (
        lambda: cs.train("ann", good["dataset"], seed=seed),
        lambda: good["dataset"].divide(0.5, seed=seed),
        lambda: cs.corrupt(good["images"], "fog", 1, seed),
        lambda: cs.run_experiment(["ann"], good["data"], seeds=[seed]),
    ):
        with pytest.raises((TypeError, ValueError), match="seed"):
            call()


def test_a_seed_of_any_whole_type_is_kept_as_an_int(tmp_path, good):
    assert [type(check_seed(seed)) for seed in (1, np.int64(1), np.uint8(1))] == [int] * 3
    model, _ = cs.train("ann", good["dataset"], cs.Recipe(epochs=1), seed=np.int64(3))
    cs.save_model(model, tmp_path / "model.safetensors")
    same, _ = cs.train("ann", good["dataset"], cs.Recipe(epochs=1), seed=3)
    assert cs.load_model(tmp_path / "model.safetensors").provenance["seed"] == 3
    assert model.weights_sha256 == same.weights_sha256


def test_numbers_of_numpy_reach_a_checked_function_as_those_of_python():
    @checked
    def types(count: int, share: float, flag: bool, names: list[int]) -> list[type]:
        return [type(count), type(share), type(flag), type(names[0])]

    assert types(np.int64(1), np.float32(0.5), np.bool_(True), np.arange(2)) == [int, float, bool, int]


def test_an_alias_of_a_type_is_resolved():
    typing_extensions = pytest.importorskip("typing_extensions")
    element = TypeVar("element", bound=np.generic)
    array = typing_extensions.TypeAliasType("array", np.ndarray[Any, np.dtype[element]], type_params=(element,))

    def total(numbers: array[np.uint8]) -> int:
        return int(numbers.sum())

    assert checked(total)(np.ones(3, np.uint8)) == 3
    with pytest.raises(TypeError, match="numbers is 'ones'; it must be an array of uint8"):
        checked(total)("ones")


def test_the_package_lists_public_names_only():
    assert set(dir(cs)) == {*cs.__all__, "CNNClassifier", "__version__"}
    assert cs.__version__.count(".") >= 2
