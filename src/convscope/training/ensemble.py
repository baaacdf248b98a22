"""Join trained networks for the same images and classes into a `Model` with the mean of their probabilities.

The architecture has all members as branches from the image, and a `SoftVoting` layer at the end. So everything that
reads a model can read it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from convscope.architecture import Architecture, Branch, Concatenate, Dense, Layer, SoftVoting
from convscope.architecture.table import get_source_name
from convscope.base.arguments import checked
from convscope.engine.reference_voting import soft_voting
from convscope.training.crossfit import CrossFit
from convscope.training.model import Model


@checked
def ensemble(members: Sequence[Model], name: str = "ensemble") -> Model:
    """Join `members` into one model: the softmax of its logits is the mean of their probabilities.

    The members' architectures may differ. Their temperatures are left out, because the mean of calibrated probabilities
    is not calibrated: fit one for the ensemble, on images that no member was trained on.

    Args:
        name: the name of the ensemble's architecture.

    Raises:
        ValueError: if there are fewer than two members, two of them read different images or have different classes,
            or one is an ensemble itself; it names the member and the value.
        ArchitectureError: if together they cost more than `convscope.architecture.cost` allows.

    Source: Lakshminarayanan, Pritzel and Blundell 2017, section 2.4.
    """
    _check(members)
    first = members[0]
    parts = [_Part.from_member(member, f"m{number}") for number, member in enumerate(members, 1)]
    layers = _join_layers(parts)
    weights = {name: weight for part in parts for name, weight in part.weights.items()}
    return Model(
        Architecture(first.architecture.input, layers, name),
        weights,
        first.class_names,
        provenance=_merge_provenance(members),
        handwriting=first.handwriting if all(member.handwriting == first.handwriting for member in members) else None,
    )


def ensemble_siblings(fits: Sequence[CrossFit]) -> CrossFit:
    """Join the siblings of each fold into an ensemble.

    Args:
        fits: the siblings of each member, all with the same folds.
    """
    first = fits[0]
    assert all(np.array_equal(fit.fold, first.fold) for fit in fits)
    # (N, members · K), the classes of the first member first, as the `SoftVoting` layer reads them.
    logits = np.concatenate([fit.logits for fit in fits], axis=1).astype(np.float64)
    return replace(
        first,
        logits=soft_voting(logits, len(fits)).astype(np.float32),
        models=tuple(ensemble(models) for models in zip(*(fit.models for fit in fits), strict=True)),
        is_early_stopping_left_out=any(fit.is_early_stopping_left_out for fit in fits),
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """A member whose layers' names have its prefix, the last one without softmax.

    Attributes:
        maps: the layers before the first `Dense`. Those of all members come first, since no maps may follow a `Dense`.
        rest: the others.
    """

    prefix: str
    maps: tuple[Layer, ...]
    rest: tuple[Layer, ...]
    weights: Mapping[str, Any]

    @classmethod
    def from_member(cls, member: Model, prefix: str) -> "_Part":
        layers = [_add_prefix(layer, prefix) for layer in member.architecture.layers]
        # `SoftVoting` reads logits and computes each member's softmax itself.
        if getattr(layers[-1], "activation", "linear") == "softmax":
            layers[-1] = replace(layers[-1], activation="linear")  # type: ignore[arg-type]
        # Maps cannot follow a vector, so a member is cut before its first dense layer.
        dense = next((index for index, layer in enumerate(layers) if isinstance(layer, Dense)), len(layers))
        weights = {f"{prefix}_{name}": weight for name, weight in member.weights.items()}
        return cls(prefix, tuple(layers[:dense]), tuple(layers[dense:]), weights)

    @property
    def last(self) -> str:
        """The name of the layer that gives its logits."""
        return (self.rest or self.maps)[-1].name


def _join_layers(parts: Sequence[_Part]) -> tuple[Layer, ...]:
    """Join the layers of all members by a `Concatenate` of their logits and a `SoftVoting`.

    A layer reads the one before it in the list; a `Branch` goes back to an earlier output instead. For two members m1
    and m2 with convolutions and dense layers, the list is

        maps of m1
        m2_image       back to the image
        maps of m2
        m1_vector      back to the last map of m1
        rest of m1     its logits
        m2_vector      back to the last map of m2
        rest of m2     its logits
        m1_and_later   the logits of m1, then those of the layer before, m2
        soft_voting
    """
    layers = list(parts[0].maps)
    for part in parts[1:]:
        layers += [Branch("input", name=f"{part.prefix}_image"), *part.maps]
    for part in parts:
        if part.rest:
            if layers[-1] is not part.maps[-1]:  # else the previous layer has its maps, and no branch is needed
                layers.append(Branch(part.maps[-1].name, name=f"{part.prefix}_vector"))
            layers += part.rest
    if layers[-1].name != parts[-1].last:  # the last member has no dense layer, and others came after its maps
        layers.append(Branch(parts[-1].last, name=f"{parts[-1].prefix}_logits"))
    # The list ends with the logits of the last member. Going backwards, each `Concatenate` puts the logits of its
    # member before those, so that the result is in the order of the members.
    layers += [Concatenate(part.last, name=f"{part.prefix}_and_later") for part in reversed(parts[:-1])]
    return (*layers, SoftVoting(len(parts), name="soft_voting"))


def _add_prefix(layer: Layer, prefix: str) -> Layer:
    changed = {"name": f"{prefix}_{layer.name}"}
    if (source := get_source_name(layer)) not in ("", "input"):
        changed["from_layer"] = f"{prefix}_{source}"
    return replace(layer, **changed)  # type: ignore[arg-type]


def _check(members: Sequence[Model]) -> None:
    """Raise `ValueError` unless all members read the same images and have the same classes."""
    if len(members) < 2:
        raise ValueError(f"members has {len(members)} models; an ensemble needs at least two")
    first = members[0]
    for number, member in enumerate(members):
        if isinstance(member.architecture.layers[-1], SoftVoting):
            raise ValueError(f"members[{number}] ({member.name}) is an ensemble itself; give its members instead")
        for field in fields(first.architecture.input):
            expected, value = (getattr(network.architecture.input, field.name) for network in (first, member))
            if value != expected:
                raise ValueError(
                    f"members[{number}] ({member.name}) reads images with {field.name} {value!r}, but members[0] "
                    f"({first.name}) with {expected!r}; all members must read the same images"
                )
        if len(member.class_names) != len(first.class_names):
            raise ValueError(
                f"members[{number}] ({member.name}) has {len(member.class_names)} classes, but members[0] "
                f"({first.name}) has {len(first.class_names)}"
            )
        for label, (expected, name) in enumerate(zip(first.class_names, member.class_names, strict=True)):
            if name != expected:
                raise ValueError(
                    f"members[{number}] ({member.name}): label {label} is {name!r}, but {expected!r} in members[0] "
                    f"({first.name})"
                )


def _merge_provenance(members: Sequence[Model]) -> dict[str, Any]:
    """Collect the members' common provenance, and under `members` the rest of each with its weights' digest."""
    first = members[0].provenance
    common = {
        key: value for key, value in first.items() if all(member.provenance.get(key) == value for member in members[1:])
    }
    own_provenances = [
        {
            "architecture": member.name,
            "weights_sha256": member.weights_sha256,
            **{key: value for key, value in member.provenance.items() if key not in common},
        }
        for member in members
    ]
    return {**common, "members": own_provenances}
