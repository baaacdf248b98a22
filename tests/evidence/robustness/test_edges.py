import numpy as np

from convscope.evidence.robustness.edges import canny_edges, find_edges


def square(side=20, first=5, last=14):
    picture = np.zeros((side, side))
    picture[first : last + 1, first : last + 1] = 1.0
    return picture


def naive_edges(picture):
    """Canny's method a pixel at a time: blur, slopes, ridges (without ties), a walk from strong edges to weak ones."""
    offsets = np.arange(-4, 5)
    bell = np.exp(-(offsets**2) / 2)
    bell /= bell.sum()
    height, width = picture.shape

    def blur(values):
        padded = np.pad(values, 4)
        return np.array([[bell @ padded[r : r + 9, c : c + 9] @ bell for c in range(width)] for r in range(height)])

    smooth = np.pad(blur(picture) / blur(np.ones(picture.shape)), 1, mode="symmetric")
    kernel = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    slopes = np.zeros((height, width, 2))
    for r in range(height):
        for c in range(width):
            part = smooth[r : r + 3, c : c + 3]
            slopes[r, c] = (part * kernel).sum(), (part * kernel.T).sum()
    size = np.hypot(slopes[..., 0], slopes[..., 1])
    ridge = np.zeros((height, width), bool)
    for r in range(1, height - 1):
        for c in range(1, width - 1):
            y, x = slopes[r, c]
            if size[r, c] < 0.1:
                continue
            sides = []
            for sign in (1, -1):
                near = (sign * np.sign(y), 0) if abs(y) >= abs(x) else (0, sign * np.sign(x))
                far = sign * np.sign(y), sign * np.sign(x)
                part = min(abs(y), abs(x)) / max(abs(y), abs(x))
                values = [size[r + int(down), c + int(right)] for down, right in (near, far)]
                sides.append((1 - part) * values[0] + part * values[1])
            ridge[r, c] = size[r, c] > max(sides)
    edges, waiting = np.zeros((height, width), bool), list(zip(*np.nonzero(ridge & (size >= 0.2)), strict=True))
    while waiting:
        r, c = waiting.pop()
        if not edges[r, c]:
            edges[r, c] = True
            near = ((r + down, c + right) for down in (-1, 0, 1) for right in (-1, 0, 1))
            waiting += [cell for cell in near if ridge[cell] and not edges[cell]]
    return edges


def test_edges_of_digits_agree_with_the_method_taken_a_pixel_at_a_time(digits):
    pictures = digits.images[:6, :, :, 0] / 255
    found_edges = find_edges(pictures)
    for picture, edges in zip(pictures, found_edges, strict=True):
        np.testing.assert_array_equal(edges, naive_edges(picture))
    assert found_edges.any()


def test_edges_are_blended_with_the_image():
    images = (200 * square()).astype(np.uint8)[None, :, :, None]
    edges = find_edges(images.mean(axis=3) / 255)[..., None]
    np.testing.assert_allclose(canny_edges(images, 0.25, lambda _: None), 0.75 * images + 0.25 * 255 * edges)
    assert set(np.unique(canny_edges(images, 1.0, lambda _: None))) == {0, 255}
