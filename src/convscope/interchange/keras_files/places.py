"""Where the weights of a layer are in an HDF5 file: by Keras 3's groups, or by the names of the format before it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from convscope.interchange.keras_files.conversion import Stored
from convscope.interchange.keras_files.hdf5 import Hdf5File, StoredArray
from convscope.interchange.refusal import ModelFileError

_LAYERS, _LAYERS_BEFORE = "layers", "_layer_checkpoint_dependencies"  # as TensorFlow 2.12 and 2.13 called it
_RANDOM = "seed_generator"  # the state of a Dropout's random numbers, which is no weight
_NO_LAYERS = ("metrics", "optimizer")  # of a compiled model within the model
_MAX_PARTS = 100
# Of a DepthwiseConv2D in Keras 2, and of Keras 1, in which what is called a deviation is a variance.
_OTHER_NAMES = {
    "depthwise_kernel": "kernel",
    "W": "kernel",
    "b": "bias",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
}


def places_of_weights(file: Hdf5File, stored: Sequence[Stored]) -> "Places":
    """Return how `file` keeps weights.

    Raises:
        ModelFileError: if it keeps none, as far as Keras's ways of doing so are known.
    """
    tops = {group.partition("/")[0] for group in file.groups}
    for layers in (_LAYERS, _LAYERS_BEFORE):
        if layers in tops:
            return _Grouped(file, layers)
    for root in ("model_weights", ""):
        names = _read_names(file, root, "layer_names")
        if names is not None:
            return _Named(file, root, names, stored)
    raise ModelFileError("it holds no weights of a Keras model; save the model or its weights with Keras again")


def variable_name(name: str, stored: Stored) -> str:
    """Convert a variable's path to its Keras 3 name: `sequential/conv2d/depthwise_kernel:0` to `kernel`."""
    last = name.rpartition("/")[2].partition(":")[0].removeprefix(f"{stored.layer.name}_")  # which Keras 1 puts before
    return last if last in stored.variables else _OTHER_NAMES.get(last, last)


def is_of_theano(file: Hdf5File) -> bool:
    """Say whether the weights are of Keras on Theano, which turns each kernel of a convolution by 180 degrees."""
    root = "model_weights" if "model_weights" in file.groups else ""
    backend = file.texts(root, "backend") or file.texts("", "backend")
    if backend is not None:
        return backend == ["theano"]
    if (file.texts(root, "keras_version") or file.texts("", "keras_version") or ["1"])[0][:1] != "1":
        return False
    # Keras 1 does not say it, but TensorFlow gives each of its variables a number: kernel:0.
    groups = [f"{root}/{layer}".strip("/") for layer in _read_names(file, root, "layer_names") or []]
    names = [name for group in groups for name in _read_names(file, group, "weight_names") or []]
    return bool(names) and not any(":" in name for name in names)


class _Grouped:
    """`layers/conv2d/vars/0`: by the class of a layer, and counted; see `KerasLayer.group`."""

    def __init__(self, file: Hdf5File, layers: str) -> None:
        self._layers = layers
        self._by_group: dict[str, dict[str, StoredArray]] = {}
        for path, array in file.arrays.items():
            group, _, name = path.rpartition("/vars/")
            parts = path.split("/")
            is_of_layer = _RANDOM not in parts and not any(
                part in _NO_LAYERS and before not in (_LAYERS, layers) for before, part in pairwise(parts)
            )
            if parts[0] == layers and group and is_of_layer:
                self._by_group.setdefault(group, {})[name] = array

    def arrays(self, stored: Stored) -> Mapping[str, StoredArray]:
        group = "/".join(self._layers if part == _LAYERS else part for part in stored.layer.group.split("/"))
        held = self._by_group.get(group, {})
        numbers = {str(number): name for number, name in enumerate(stored.variables)}
        return {numbers.get(number, number): array for number, array in held.items()}

    def all_paths(self) -> set[str]:
        return {array.path for held in self._by_group.values() for array in held.values()}


class _Named:
    """`model_weights/conv2d/conv2d/kernel:0`: by the name of the layer, and that of the weight."""

    def __init__(self, file: Hdf5File, root: str, layers: list[str], stored: Sequence[Stored]) -> None:
        self._by_layer: dict[str, dict[str, StoredArray]] = {}
        for layer in layers:
            group = f"{root}/{layer}" if root else layer
            names = _read_names(file, group, "weight_names") or []
            missing = [name for name in names if f"{group}/{name}" not in file.arrays]
            if missing:
                raise ModelFileError(
                    f"the weight {missing[0][:100]!r} that it lists is missing; download the file again"
                )
            held = {name: file.arrays[f"{group}/{name}"] for name in names if _RANDOM not in name}
            if held:
                self._by_layer[layer] = held
        wanted = list(dict.fromkeys(layer_arrays.layer.path[0] for layer_arrays in stored if layer_arrays.variables))
        if not set(wanted) <= self._by_layer.keys() and len(wanted) == len(self._by_layer):
            # Saved from a model whose layers were called otherwise: then Keras goes by their order.
            self._by_layer = dict(zip(wanted, self._by_layer.values(), strict=True))

    def arrays(self, stored: Stored) -> Mapping[str, StoredArray]:
        path = stored.layer.path
        held = self._by_layer.get(path[0], {})
        arrays: dict[str, StoredArray] = {}
        for name, array in held.items():
            owner = name.split("/")[:-1]
            if len(path) > 1 and path[-1].split("/") != owner[-len(path[-1].split("/")) :]:
                continue  # of another layer of the model within the model
            weight = variable_name(name, stored)
            if weight in arrays:
                raise ModelFileError(
                    f"two weights are called {'/'.join(path)}/{weight}"[:160] + "; give layers their own names"
                )
            arrays[weight] = array
        return arrays

    def all_paths(self) -> set[str]:
        return {array.path for held in self._by_layer.values() for array in held.values()}


Places = _Grouped | _Named


def _read_names(file: Hdf5File, group: str, name: str) -> list[str] | None:
    """Return the names in an attribute; of many, Keras makes several attributes: layer_names0, layer_names1, ..."""
    names = file.texts(group, name)
    if names is not None:
        return names
    parts = [file.texts(group, f"{name}{number}") for number in range(_MAX_PARTS)]
    joined = [text for part in parts if part is not None for text in part]
    return joined or None
