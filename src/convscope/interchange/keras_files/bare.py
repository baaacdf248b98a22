"""A file of weights alone, beside an architecture of ours: as which Keras layers it would be taken."""

from collections import Counter

from convscope.architecture import Architecture
from convscope.interchange.keras_files.assembly import Assembly, Stored
from convscope.interchange.keras_files.graph import KerasLayer, keras_stem
from convscope.interchange.keras_files.hdf5 import Hdf5File


def assembly_of(architecture: Architecture, file: Hdf5File) -> Assembly:
    """Return which stored arrays become the weights of `architecture`: by the layers' names, or else by their order."""
    groups_by_name = {}
    for group in file.groups:
        if group.endswith("/vars"):
            for name in file.texts(group, "name") or []:
                groups_by_name[name] = group.removesuffix("/vars")
    names = [row.layer.name for row in architecture.table if row.layer.weight_shapes(row.input_shape)]
    is_named = all(name in groups_by_name for name in names)
    counts: Counter[str] = Counter()
    stored = []
    for row in architecture.table:
        layer, stem = row.layer, keras_stem(row.layer.kind)
        group = f"layers/{stem}_{counts[stem]}" if counts[stem] else f"layers/{stem}"
        counts[stem] += 1
        if shapes := layer.weight_shapes(row.input_shape):
            group = groups_by_name[layer.name] if is_named else group
            keras_layer = KerasLayer(layer.name, layer.kind, {}, (), (layer.name,), group)
            stored.append(Stored(keras_layer, shapes, {f"{layer.name}/{weight}": weight for weight in shapes}))
    how = "names" if is_named else "order"
    return Assembly(architecture, tuple(stored), (f"the weights were given to the layers by their {how}",))
