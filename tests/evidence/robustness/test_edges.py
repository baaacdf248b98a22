"""The corruption that blends in the edges of an image."""

import numpy as np

from convscope.evidence.robustness.edges import canny_edges, find_edges


def find_edges_by_pixel(picture):
    """Find edges by Canny's method (1986), a pixel at a time.

    Blur the picture, compute slopes, keep pixels steeper than both neighbours along the slope ("ridges"), and walk
    from ridges of slope 0.2 or more to adjacent ones of 0.1 or more.
    """
    offsets = np.arange(-4, 5)
    bell = np.exp(-(offsets**2) / 2)
    bell /= bell.sum()
    height, width = picture.shape

    def blur(values):
        padded = np.pad(values, 4)
        return np.array([[bell @ padded[r : r + 9, c : c + 9] @ bell for c in range(width)] for r in range(height)])

    smooth = np.pad(blur(picture) / blur(np.ones(picture.shape)), 1, mode="symmetric")
    sobel = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    slopes = np.zeros((height, width, 2))
    for r in range(height):
        for c in range(width):
            window = smooth[r : r + 3, c : c + 3]
            slopes[r, c] = (window * sobel).sum(), (window * sobel.T).sum()
    size = np.hypot(slopes[..., 0], slopes[..., 1])
    ridge = np.zeros((height, width), bool)
    for r in range(1, height - 1):
        for c in range(1, width - 1):
            y, x = slopes[r, c]
            if size[r, c] < 0.1:
                continue
            sides = []
            for sign in (1, -1):
                # The slope points between a straight and a diagonal neighbour; interpolate the sizes of both.
                straight = (sign * np.sign(y), 0) if abs(y) >= abs(x) else (0, sign * np.sign(x))
                diagonal = sign * np.sign(y), sign * np.sign(x)
                weight = min(abs(y), abs(x)) / max(abs(y), abs(x))
                values = [size[r + int(down), c + int(right)] for down, right in (straight, diagonal)]
                sides.append((1 - weight) * values[0] + weight * values[1])
            ridge[r, c] = size[r, c] > max(sides)
    edges, waiting = np.zeros((height, width), bool), list(zip(*np.nonzero(ridge & (size >= 0.2)), strict=True))
    while waiting:
        r, c = waiting.pop()
        if not edges[r, c]:
            edges[r, c] = True
            near = ((r + down, c + right) for down in (-1, 0, 1) for right in (-1, 0, 1))
            waiting += [cell for cell in near if ridge[cell] and not edges[cell]]
    return edges


def test_edges_of_digits_equal_those_found_a_pixel_at_a_time(digits):
    pictures = digits.images[:6, :, :, 0] / 255
    edges_of_pictures = find_edges(pictures)
    for picture, edges in zip(pictures, edges_of_pictures, strict=True):
        np.testing.assert_array_equal(edges, find_edges_by_pixel(picture))
    assert edges_of_pictures.any()


def test_edges_are_blended_with_the_image():
    images = np.zeros((1, 20, 20, 1), np.uint8)
    images[:, 5:15, 5:15] = 200
    edges = find_edges(images.mean(axis=3) / 255)[..., None]
    np.testing.assert_allclose(canny_edges(images, 0.25, lambda _: None), 0.75 * images + 0.25 * 255 * edges)
    assert set(np.unique(canny_edges(images, 1.0, lambda _: None))) == {0, 255}
