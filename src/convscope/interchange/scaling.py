"""Scalings: formulas that turn the bytes of an image into the numbers that a network was trained on."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import check_fields
from convscope.base.plain import PlainFields
from convscope.base.tables import html_table, text_table

_WHITE = 255  # the largest byte
_HEADER = ("Scaling", "A byte becomes", "Images", "Accuracy", "Loss", "")


@dataclass(frozen=True)
class Scaling(PlainFields):
    """The formula that turns a byte into the number that a network reads: `(byte * scale - mean) / std`.

    Attributes:
        mean, std: one number, or one for each channel of an image.
        inverted: True if 255 - byte takes the place of the byte.
        bgr: True if the network reads the channels of an image in the order blue, green, red.

    Raises:
        ValueError: if a number is not finite, or `scale` or `std` is 0.

    >>> Scaling(mean=0.1307, std=0.3081).formula
    '(byte / 255 - 0.1307) / 0.3081'
    """

    scale: float = 1 / _WHITE
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    inverted: bool = False
    bgr: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("scale", "mean", "std"):
            value = getattr(self, name)
            numbers = value if isinstance(value, tuple) else (value,)
            if not numbers or not all(isfinite(number) and (number or name == "mean") for number in numbers):
                rule = "finite numbers" if name == "mean" else "finite numbers other than 0"
                raise ValueError(f"{name} is {value}; it must be made of {rule}")

    def numbers(self, channels: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Compute scales (C,) and offsets (C,): a byte of channel c becomes `byte * scales[c] + offsets[c]`.

        Raises:
            ValueError: if `mean` or `std` has another number of channels, or `bgr` is true and there are not three.
        """
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) not in (1, channels):
                raise ValueError(
                    f"{name} is {value}; give one number, or one for each channel, of which images have {channels}"
                )
        if self.bgr and channels != 3:
            raise ValueError(f"bgr is an order of 3 channels, but images have {channels}")
        std = np.asarray(self.std, np.float64)
        scales = np.broadcast_to(self.scale / std, channels)
        offsets = np.broadcast_to(0.0 - np.asarray(self.mean) / std, channels)  # 0.0 - 0.0 is 0.0, and -(0.0) is -0.0
        # (255 - byte) · s + o = byte · (-s) + (o + 255 s)
        return (-scales, offsets + _WHITE * scales) if self.inverted else (scales, offsets)

    @property
    def formula(self) -> str:
        """The scaling of a byte as a formula, without the operations that change nothing.

        Examples: "byte", "byte / 127.5 - 1", "(255 - byte) * 0.3", "(byte / 255 - 0.5) / 0.5".
        """
        text = f"{_WHITE} - byte" if self.inverted else "byte"
        if self.scale != 1:
            text = f"({text})" if self.inverted else text
            divisor = 1 / self.scale
            whole = round(divisor, 9)  # 1 / (1 / 255) may miss 255 by rounding
            text = f"{text} / {whole:g}" if abs(divisor) >= 1 and whole == divisor else f"{text} * {self.scale:.6g}"
        if np.any(self.mean):
            text = f"{text} - {_format_numbers(self.mean)}"
        if np.any(np.asarray(self.std) != 1):
            text = f"({text}) / {_format_numbers(self.std)}" if " " in text else f"{text} / {_format_numbers(self.std)}"
        return f"{text}, channels in the order blue, green, red" if self.bgr else text


def _format_numbers(value: float | tuple[float, ...]) -> str:
    return f"({', '.join(f'{number:.4g}' for number in value)})" if isinstance(value, tuple) else f"{value:.4g}"


@dataclass(frozen=True)
class ScalingRow(PlainFields):
    """A scaling that was tried.

    Attributes:
        num_images: how many training images were classified.
        accuracy: the share of correct predictions.
        loss: the mean cross-entropy, in nats.
        verdict: "best", "unclear", or the reason why it is ruled out.
    """

    name: str
    scaling: Scaling
    num_images: int
    accuracy: float
    loss: float
    verdict: str


@dataclass(frozen=True)
class ScalingTable:
    """The scalings that were tried, the most accurate first.

    Attributes:
        best: the scaling that the network was trained with; None if that is unclear.
        sentence: the result in words.
    """

    rows: tuple[ScalingRow, ...]
    best: Scaling | None
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        rows = [{**row.to_dict(), "formula": row.scaling.formula} for row in self.rows]
        return {"rows": rows, "best": self.best and self.best.to_dict(), "sentence": self.sentence}

    def __str__(self) -> str:
        return f"{text_table(_HEADER, self._cells(), left=2)}\n\n{self.sentence}"

    def _repr_html_(self) -> str:
        return html_table(_HEADER, self._cells(), self.sentence, left=2)

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                row.name,
                row.scaling.formula,
                f"{row.num_images:,}",
                f"{100 * row.accuracy:.2f} %",
                f"{row.loss:,.3f}",
                row.verdict,
            )
            for row in self.rows
        ]
