import numpy as np

from convscope.evidence.robustness.edges import canny_edges, find_edges


def square(side=20, first=5, last=14):
    picture = np.zeros((side, side))
    picture[first : last + 1, first : last + 1] = 1.0
    return picture


def ring(side=20, first=5, last=14):
    outline = square(side, first, last)
    outline[first + 1 : last, first + 1 : last] = 0
    return outline > 0


def naive_edges(picture):
    """Canny's method a pixel at a time: blur, slopes, ridges (without ties), a walk from strong edges to weak ones."""
    offsets = np.arange(-4, 5)
    bell = np.exp(-(offsets**2) / 2)
    bell /= bell.sum()
    height, width = picture.shape

    def blurred(values):
        padded = np.pad(values, 4)
        return np.array([[bell @ padded[r : r + 9, c : c + 9] @ bell for c in range(width)] for r in range(height)])

    smooth = np.pad(blurred(picture) / blurred(np.ones(picture.shape)), 1, mode="symmetric")
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
    found, waiting = np.zeros((height, width), bool), list(zip(*np.nonzero(ridge & (size >= 0.2)), strict=True))
    while waiting:
        r, c = waiting.pop()
        if not found[r, c]:
            found[r, c] = True
            near = ((r + down, c + right) for down in (-1, 0, 1) for right in (-1, 0, 1))
            waiting += [place for place in near if ridge[place] and not found[place]]
    return found


def test_the_edges_of_a_square_are_its_outline():
    edges = find_edges(square()[None])[0]
    corners = np.ix_([5, 14], [5, 14])
    expected = ring()
    edges[corners] = expected[corners] = False  # which smoothing rounds
    np.testing.assert_array_equal(edges, expected)


def test_edges_of_digits_agree_with_the_method_taken_a_pixel_at_a_time(digits):
    pictures = digits.images[:6, :, :, 0] / 255
    found = find_edges(pictures)
    for picture, edges in zip(pictures, found, strict=True):
        np.testing.assert_array_equal(edges, naive_edges(picture))
    assert found.any()


def test_an_even_picture_has_no_edges_nor_has_its_border():
    assert not find_edges(np.full((2, 9, 12), 0.7)).any()


def test_a_step_below_the_high_threshold_is_no_edge_alone():
    # Two pixels beside a blurred step of height h differ by (0.399 + 0.242) h, four times which is the slope: 2.56 h.
    assert not find_edges(0.077 * square()[None]).any()
    assert find_edges(0.079 * square()[None]).any()


def test_images_do_not_touch(digits):
    pictures = digits.images[:8, :, :, 0] / 255
    alone = np.concatenate([find_edges(picture[None]) for picture in pictures])
    np.testing.assert_array_equal(find_edges(pictures), alone)


def test_edges_are_mixed_with_the_image_by_the_share():
    images = (200 * square()).astype(np.uint8)[None, :, :, None]
    edges = find_edges(images.mean(axis=3) / 255)[..., None]
    np.testing.assert_allclose(canny_edges(images, 0.25, lambda _: None), 0.75 * images + 0.25 * 255 * edges)
    assert set(np.unique(canny_edges(images, 1.0, lambda _: None))) == {0, 255}
