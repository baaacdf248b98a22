"""Random changes of the training images, as data."""

from dataclasses import dataclass, field

from convscope.base.arguments import check_flag, check_range, check_whole


@dataclass(frozen=True)
class Augmentation:
    """Random changes of each training image each time it is seen; zero is none.

    `shift` to `horizontal_flip` define where each pixel of the new image is read in the old one. They are composed, and
    the image is resampled once, bilinearly, about its middle. Pixels outside the image are zero, the background of
    MNIST. Then follow `cutout`, `contrast`, `brightness` and `noise` in this order, and the result is rounded and
    clipped to 0 to 255.
    A number "at most" is drawn evenly between its negative and itself.

    Attributes:
        shift: whole pixels at most by which an image is moved up or down, and left or right. Without other changes,
            nothing is blurred, since pixels are only moved.
        rotation: degrees at most by which it is rotated.
        scale: fraction at most by which it is enlarged or reduced, both sides alike.
        stretch: s: height and width are also multiplied by exp(u), with a random u from -s to s for each of the two.
        shear: degrees at most by which its columns lean.
        crop: fraction at most by which a window of the image's shape is smaller than the image; it lies anywhere within
            the image, and is enlarged to it.
        elastic: α of elastic deformation, in pixels: each pixel is moved by α times two fields of even random numbers
            from -1 to 1, which a Gaussian has smoothed; beyond the image they are zero.
        elastic_sigma: σ of that Gaussian in pixels, cut off at 3 σ. Simard and others took α = 34, σ = 4 for MNIST.
        horizontal_flip: whether it is mirrored, left to right, with a chance of a half; not for digits and letters.
            Alone or with `shift` it blurs nothing.
        cutout: the side in pixels of a square that is set to zero, its middle anywhere in the image, so that a part of
            it may lie outside. Its authors set it to the mean of the data.
        contrast: fraction at most by which the distance of each value to the image's mean is enlarged or reduced.
        brightness: grey levels at most that are added to all values.
        noise: standard deviation in grey levels of Gaussian noise, drawn for each value independently.

    Raises:
        RecipeError: for a value out of its range.

    Source: Simard, Steinkraus and Platt 2003, section 2, for elastic deformation, without the normalisation of the
    fields; DeVries and Taylor 2017, section 3, for cutout.
    """

    shift: int = 0
    rotation: float = 0.0
    scale: float = 0.0
    stretch: float = field(default=0.0, kw_only=True)
    shear: float = 0.0
    crop: float = 0.0
    elastic: float = 0.0
    elastic_sigma: float = 4.0
    horizontal_flip: bool = field(default=False, kw_only=True)
    cutout: int = 0
    contrast: float = 0.0
    brightness: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        check_whole("shift", self.shift, 0, 1000)
        # 180 degrees to either side are all rotations.
        check_range("rotation", self.rotation, 0, 180)
        # A factor of 1 - scale must stay well above 0.
        check_range("scale", self.scale, 0, 0.9)
        check_range("stretch", self.stretch, 0, 1)
        check_range("shear", self.shear, 0, 80)  # the tangent grows without bound towards 90
        check_range("crop", self.crop, 0, 0.9)
        check_range("elastic", self.elastic, 0, 1000)
        check_range("elastic_sigma", self.elastic_sigma, 0, 100, open_below=True)
        check_flag("horizontal_flip", self.horizontal_flip)
        check_whole("cutout", self.cutout, 0, 1000)
        check_range("contrast", self.contrast, 0, 1)
        check_range("brightness", self.brightness, 0, 255)
        check_range("noise", self.noise, 0, 255)
