"""Read a pair (X, y), which the public functions accept in place of a `Dataset`."""

from collections.abc import Sequence
from typing import Annotated, Any, get_args

from convscope.base.arguments import describe
from convscope.data.datasets.dataset import Dataset, Splits

_RULE = "a Dataset, or a pair (X, y) of images and labels as Dataset.from_arrays takes them"
DatasetLike = Annotated[Dataset | tuple[Any, Any], _RULE]


def as_dataset(
    value: Any, name: str, class_names: Sequence[str] | None = None, image_shape: tuple[int, ...] | None = None
) -> Dataset:
    """Convert a pair (X, y) to a data set by `Dataset.from_arrays`; a data set is returned as it is.

    Args:
        name: the name of the argument, for errors.
        class_names: K names that the labels are known by, such as a model's.
        image_shape: (H, W, C) of the images where X holds rows (N, D).

    Raises:
        TypeError, ValueError: if it is neither, or `Dataset.from_arrays` refuses the pair.
    """
    if isinstance(value, Dataset):
        return value
    if not isinstance(value, tuple) or len(value) != 2:
        hint = "; use one of its two splits, train or test" if isinstance(value, Splits) else ""
        raise TypeError(f"{name} is {describe(value)}; it must be {get_args(DatasetLike)[1]}{hint}")
    images, labels = value
    if isinstance(images, Dataset):
        raise TypeError(f"{name} is a pair of data sets; use Splits(train, test) instead")
    # `image_shape` says how rows are cut into images; arrays (N, H, W) and (N, H, W, C) show their own shape.
    is_2d = getattr(images, "ndim", None) == 2 or (not hasattr(images, "ndim") and _is_list_of_rows(images))
    try:
        return Dataset.from_arrays(images, labels, class_names=class_names, image_shape=image_shape if is_2d else None)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}; Dataset.from_arrays takes further arguments") from error


def _is_list_of_rows(images: Any) -> bool:
    """True if `images` is a list of lists of numbers."""
    try:
        return bool(len(images)) and bool(len(images[0])) and not hasattr(images[0][0], "__len__")
    except (TypeError, KeyError, IndexError):
        return False
