"""Build small models in the files of Keras 1 to 3, without Keras: configurations, archives and HDF5 files."""

import io
import json
import zipfile

import h5py
import numpy as np


def layer(class_name, name, **config):
    """Describe a layer as the JSON of Keras 3 does."""
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {"name": name, "trainable": True, **config},
        "registered_name": None,
    }


def image(*shape):
    return layer("InputLayer", "image", batch_shape=[None, *shape])


def sequential(*layers):
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "small", "layers": list(layers)},
        "registered_name": None,
    }


def small(height=4, width=5, channels=1, units=3):
    """Make the configuration of a convolution and a dense layer, and its weights by their paths in Keras 3's file."""
    random = np.random.default_rng(0)
    config = sequential(
        image(height, width, channels),
        layer("Conv2D", "conv2d_7", filters=2, kernel_size=[3, 3], padding="same", activation="relu"),
        layer("Flatten", "flatten"),
        layer("Dense", "dense_2", units=units, activation="softmax"),
    )
    arrays = {
        "layers/conv2d/vars/0": random.normal(size=(3, 3, channels, 2)).astype(np.float32),
        "layers/conv2d/vars/1": random.normal(size=2).astype(np.float32),
        "layers/dense/vars/0": random.normal(size=(height * width * 2, units)).astype(np.float32),
        "layers/dense/vars/1": random.normal(size=units).astype(np.float32),
    }
    return config, arrays


def hdf5(arrays, attributes=None, change=None, **options):
    """Return the bytes of an HDF5 file with arrays by path and attributes by path and name, after `change(file)`."""
    content = io.BytesIO()
    with h5py.File(content, "w", **options) as file:
        for path, array in arrays.items():
            file[path] = array
        for (path, name), value in (attributes or {}).items():
            file.require_group(path).attrs[name] = value
        if change is not None:
            change(file)
    return content.getvalue()


def archive(config, weights, compression=zipfile.ZIP_STORED, **more):
    """Return the bytes of a `.keras` file; a member that is None is left out."""
    content = io.BytesIO()
    text = config if isinstance(config, str) else json.dumps(config)
    members = {"metadata.json": '{"keras_version": "3.15.1"}', "config.json": text, "model.weights.h5": weights, **more}
    with zipfile.ZipFile(content, "w") as file:
        for name, member in members.items():
            if member is not None:  # ZipInfo has a fixed date, so the bytes are the same at any time
                file.writestr(zipfile.ZipInfo(name), member, compression)
    return content.getvalue()


def legacy(config, arrays, root="model_weights", version="2.15.0", backend="tensorflow"):
    """Return the bytes of a file of Keras 2 or 1, from arrays by layer and weight: ("dense", "dense/kernel:0")."""
    prefix = f"{root}/" if root else ""
    names = list(dict.fromkeys(owner for owner, _ in arrays))
    attributes = {(root or "/", "layer_names"): np.array([name.encode() for name in names])}
    for name in names:
        weights = [weight.encode() for owner, weight in arrays if owner == name]
        attributes[(f"{prefix}{name}", "weight_names")] = np.array(weights)
    if config is not None:
        attributes[("/", "model_config")] = json.dumps(config)
        attributes[("/", "keras_version")] = version
    if config is not None and version > "2":
        attributes[("/", "backend")] = backend
    return hdf5({f"{prefix}{owner}/{weight}": array for (owner, weight), array in arrays.items()}, attributes)


_ARRAYS = small()[1]
# The weights of `small` for `legacy`.
BY_WEIGHT = {
    ("conv2d_7", "conv2d_7/kernel:0"): _ARRAYS["layers/conv2d/vars/0"],
    ("conv2d_7", "conv2d_7/bias:0"): _ARRAYS["layers/conv2d/vars/1"],
    ("dense_2", "dense_2/kernel:0"): _ARRAYS["layers/dense/vars/0"],
    ("dense_2", "dense_2/bias:0"): _ARRAYS["layers/dense/vars/1"],
}
