"""Find the weights of a layer in an HDF5 file: by Keras 3's groups, or by the names of earlier versions."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from convscope.interchange.keras_files.conversion import StoredLayer
from convscope.interchange.keras_files.hdf5 import Hdf5File, StoredArray
from convscope.interchange.refusal import ModelFileError

_LAYERS, _OLD_LAYERS = "layers", "_layer_checkpoint_dependencies"  # the old name is of TensorFlow 2.12 and 2.13
_RANDOM = "seed_generator"  # the state of a Dropout's random numbers, which is no weight
_NO_LAYERS = ("metrics", "optimizer")  # groups of a compiled model within the model
_MAX_PARTS = 100  # parts of a long list of names
# Names of Keras 2's DepthwiseConv2D and of Keras 1. What Keras 1 calls running_std holds variances.
_OTHER_NAMES = {
    "depthwise_kernel": "kernel",
    "W": "kernel",
    "b": "bias",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
}


def find_layout(file: Hdf5File, stored_layers: Sequence[StoredLayer]) -> "WeightLayout":
    """Find out how `file` stores weights; raises `ModelFileError` if it has none in any of Keras's layouts."""
    top_groups = {group.partition("/")[0] for group in file.groups}
    for layers in (_LAYERS, _OLD_LAYERS):
        if layers in top_groups:
            return _GroupedLayout(file, layers)
    for root in ("model_weights", ""):  # a whole model, or a file of weights alone
        names = _read_names(file, root, "layer_names")
        if names is not None:
            return _NamedLayout(file, root, names, stored_layers)
    raise ModelFileError("it holds no weights of a Keras model; save the model or its weights with Keras again")


def to_variable_name(name: str, stored_layer: StoredLayer) -> str:
    """Convert a variable's path to its Keras 3 name: `sequential/conv2d/depthwise_kernel:0` to `kernel`."""
    # Keras 1 puts the layer's name before: conv2d_1_W.
    last = name.rpartition("/")[2].partition(":")[0].removeprefix(f"{stored_layer.layer.name}_")
    return last if last in stored_layer.variables else _OTHER_NAMES.get(last, last)


def is_from_theano(file: Hdf5File) -> bool:
    """True for weights of Keras on Theano, whose convolutions turn the kernel by 180 degrees."""
    root = "model_weights" if "model_weights" in file.groups else ""
    backend = file.read_texts(root, "backend") or file.read_texts("", "backend")
    if backend is not None:
        return backend == ["theano"]
    # A file that names no backend is of Keras 1 if its version begins with 1, or if it has no version either.
    if (file.read_texts(root, "keras_version") or file.read_texts("", "keras_version") or ["1"])[0][:1] != "1":
        return False
    # Keras 1 does not name its backend, but only TensorFlow's variables have a number: kernel:0.
    groups = [f"{root}/{layer}".strip("/") for layer in _read_names(file, root, "layer_names") or []]
    names = [name for group in groups for name in _read_names(file, group, "weight_names") or []]
    return bool(names) and not any(":" in name for name in names)


class _GroupedLayout:
    """Keras 3's layout, by the class and number of a layer, see `KerasLayer.group`.

    layers/conv2d/vars/0                           the kernel of the first Conv2D
    layers/conv2d_1/vars/1                         the bias of the second
    layers/dropout/seed_generator/vars/0           no weight, as below `metrics` and `optimizer`
    """

    def __init__(self, file: Hdf5File, layers: str) -> None:
        self._layers = layers
        self._by_group: dict[str, dict[str, StoredArray]] = {}
        for path, array in file.arrays.items():
            group, _, name = path.rpartition("/vars/")
            parts = path.split("/")
            # A group called `metrics` directly in `layers` is a layer of that class.
            is_of_layer = _RANDOM not in parts and not any(
                part in _NO_LAYERS and parent not in (_LAYERS, layers) for parent, part in pairwise(parts)
            )
            if parts[0] == layers and group and is_of_layer:
                self._by_group.setdefault(group, {})[name] = array

    def arrays(self, stored_layer: StoredLayer) -> Mapping[str, StoredArray]:
        group = "/".join(self._layers if part == _LAYERS else part for part in stored_layer.layer.group.split("/"))
        arrays = self._by_group.get(group, {})
        # Arrays are numbered in the order of the layer's variables: of a Conv2D, "0" is the kernel and "1" the bias. A
        # number beyond them stays, and `check_shapes` names it in its error.
        numbers = {str(number): name for number, name in enumerate(stored_layer.variables)}
        return {numbers.get(number, number): array for number, array in arrays.items()}

    def all_paths(self) -> set[str]:
        return {array.path for arrays in self._by_group.values() for array in arrays.values()}


class _NamedLayout:
    """The earlier layout, by the names of layer and weight.

    model_weights/conv2d/conv2d/kernel:0           the kernel of `conv2d`
    model_weights/inner/block/conv/kernel:0        that of the layer `block/conv` in the nested model `inner`
    """

    def __init__(self, file: Hdf5File, root: str, layers: list[str], stored_layers: Sequence[StoredLayer]) -> None:
        self._by_layer: dict[str, dict[str, StoredArray]] = {}
        for layer in layers:
            group = f"{root}/{layer}" if root else layer
            names = _read_names(file, group, "weight_names") or []
            missing = [name for name in names if f"{group}/{name}" not in file.arrays]
            if missing:
                raise ModelFileError(
                    f"the weight {missing[0][:100]!r} that it lists is missing; download the file again"
                )
            arrays = {name: file.arrays[f"{group}/{name}"] for name in names if _RANDOM not in name}
            if arrays:
                self._by_layer[layer] = arrays
        wanted = list(dict.fromkeys(stored.layer.path[0] for stored in stored_layers if stored.variables))
        if not set(wanted) <= self._by_layer.keys() and len(wanted) == len(self._by_layer):
            # The weights of a model with other names: Keras then matches the layers by their order.
            self._by_layer = dict(zip(wanted, self._by_layer.values(), strict=True))

    def arrays(self, stored_layer: StoredLayer) -> Mapping[str, StoredArray]:
        path = stored_layer.layer.path
        arrays: dict[str, StoredArray] = {}
        for name, array in self._by_layer.get(path[0], {}).items():
            owner = f"/{name.rpartition('/')[0]}"  # of the weight `block/conv/kernel:0`: `/block/conv`
            # The group of a nested model has the weights of all its layers; a layer's name can hold slashes itself.
            if len(path) > 1 and not owner.endswith(f"/{path[-1]}"):
                continue  # a weight of another layer in the same nested model
            weight = to_variable_name(name, stored_layer)
            if weight in arrays:
                raise ModelFileError(
                    f"two weights are called {'/'.join(path)}/{weight}"[:160] + "; give layers their own names"
                )
            arrays[weight] = array
        return arrays

    def all_paths(self) -> set[str]:
        return {array.path for arrays in self._by_layer.values() for array in arrays.values()}


WeightLayout = _GroupedLayout | _NamedLayout


def _read_names(file: Hdf5File, group: str, name: str) -> list[str] | None:
    """Read the names in an attribute, which Keras splits if it is long: layer_names0, layer_names1, ..."""
    names = file.read_texts(group, name)
    if names is not None:
        return names
    parts = [file.read_texts(group, f"{name}{number}") for number in range(_MAX_PARTS)]
    joined = [text for part in parts if part is not None for text in part]
    return joined or None
