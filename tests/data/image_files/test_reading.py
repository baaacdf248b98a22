"""Pictures in files: all formats and modes are read to grey or colour bytes, and hostile files are refused early."""

import io
import struct
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, features
from tests.shared import encode_picture as encoded

from convscope.base.averaging import average
from convscope.base.deadline import Deadline, DeadlineError, within
from convscope.base.errors import ImageFileError
from convscope.data.image_files import MAX_FILE_BYTES, SUFFIXES, picture_size, read_picture, read_reduced

GREY = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)
COLOURS = np.stack([GREY, 255 - GREY, np.full_like(GREY, 90)], axis=2)
LOSSLESS = ("PNG", "BMP", "TIFF")


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


@pytest.mark.parametrize("kind", LOSSLESS)
def test_grey_and_colours_come_back_as_they_are(kind):
    np.testing.assert_array_equal(read_picture(encoded(GREY, kind)), GREY[..., None])
    np.testing.assert_array_equal(read_picture(encoded(COLOURS, kind)), COLOURS)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_come_back_nearly_as_they_are(kind):
    assert features.check("webp")
    smooth = np.add.outer(np.arange(32), np.arange(40)).astype(np.uint8)
    picture = read_picture(encoded(smooth, kind, quality=95))
    assert picture.shape[:2] == (32, 40)
    assert np.abs(picture[..., 0].astype(int) - smooth).max() <= 4


def test_a_file_is_read_by_its_content_and_not_by_its_name(tmp_path):
    path = tmp_path / "scan.jpg"
    path.write_bytes(encoded(GREY, "TIFF"))
    np.testing.assert_array_equal(read_picture(path), GREY[..., None])
    np.testing.assert_array_equal(read_picture(str(path)), GREY[..., None])
    assert path.suffix in SUFFIXES


def test_one_bit_is_black_and_white():
    image = Image.fromarray(GREY > 100)
    for content in (encoded(image), encoded(image, "BMP"), encoded(image, "TIFF", compression="group4")):
        np.testing.assert_array_equal(read_picture(content)[..., 0], np.where(GREY > 100, 255, 0))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_to_eight_and_rounded(kind):
    values = np.array([[0, 128, 129, 257, 32_768, 65_535]], np.uint16)
    np.testing.assert_array_equal(read_picture(encoded(values, kind))[..., 0], np.rint(values / 257).astype(np.uint8))


def test_sixteen_bits_whose_zero_is_white_are_inverted():
    values = np.array([[0, 65_535]], np.uint16)
    content = encoded(values, "TIFF", tiffinfo={262: 0})  # tag 262, the photometric interpretation: 0 is white
    np.testing.assert_array_equal(read_picture(content)[..., 0], [[255, 0]])


def test_twelve_bits_reach_white():
    packed = bytes([0xFF, 0xF8, 0x00])  # 4095 and 2048
    # The tags are explained in `tiff_of`: 2 × 1 pixels of 12 bits, in one strip of 3 bytes that begins at byte 8.
    entries = {256: 2, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 3}
    content = b"II*\0" + struct.pack("<I", 12) + packed + b"\0" + tiff_directory(entries)
    np.testing.assert_array_equal(read_picture(content)[..., 0], [[255, 128]])


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_become_white(mode):
    clear = Image.new(mode, (3, 1), (0,) * len(mode))
    half = (0,) * (len(mode) - 1) + (128,)
    clear.putpixel((1, 0), half)
    clear.putpixel((2, 0), (*half[:-1], 255))
    assert read_picture(encoded(clear))[0, :, 0].tolist() == [255, 127, 0]


def test_a_palette_with_a_transparent_colour_lies_on_white():
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 100, 0])
    image.putpixel((1, 0), 1)
    assert read_picture(encoded(image)).tolist() == [[[200, 0, 0], [0, 100, 0]]]
    for kind in ("PNG", "GIF"):
        assert read_picture(encoded(image, kind, transparency=0)).tolist() == [[[255, 255, 255], [0, 100, 0]]]
    assert read_picture(encoded(image, transparency=bytes([255, 0]))).tolist() == [[[200, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize(
    ("pixels", "transparency", "expected"),
    [
        (GREY, 0, np.where(GREY == 0, 255, GREY)[..., None]),
        (COLOURS, (0, 255, 90), np.where((COLOURS == [0, 255, 90]).all(axis=2, keepdims=True), 255, COLOURS)),
        (GREY.astype(np.uint16) * 257, 0, np.where(GREY == 0, 255, GREY)[..., None]),
    ],
    ids=["grey", "colours", "sixteen bits"],
)
def test_a_transparent_value_lies_on_white(pixels, transparency, expected):
    np.testing.assert_array_equal(read_picture(encoded(pixels, transparency=transparency)), expected)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind):
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    red = read_picture(encoded(cmyk, kind))
    assert np.abs(red.astype(int) - [255, 0, 0]).max() <= 4


@pytest.mark.parametrize("mode", ["YCbCr", "LAB"])
def test_other_colour_spaces_become_rgb(mode):
    # Grey of 128 in RGB has a lightness of 54 %, which is 137 of 255.
    greys = {"YCbCr": Image.new("RGB", (8, 8), (128, 128, 128)).convert("YCbCr")}
    grey = greys.get(mode) or Image.new("LAB", (8, 8), (137, 128, 128))
    assert np.abs(read_picture(encoded(grey, "TIFF")).astype(int) - 128).max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_turned_as_its_exif_data_say(kind, orientation):
    corners = np.zeros((16, 32), np.uint8)
    corners[:8, :8], corners[:8, 24:] = 250, 125
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(corners, kind, exif=exif(orientation), **options)
    upright = {
        1: corners, 2: corners[:, ::-1], 3: corners[::-1, ::-1], 4: corners[::-1], 5: corners.T,
        6: np.rot90(corners, -1), 7: corners[::-1, ::-1].T, 8: np.rot90(corners),
    }[orientation]  # fmt: skip
    picture = read_picture(content)
    assert picture.shape[:2] == upright.shape == picture_size(content)
    assert np.abs(picture[..., 0].astype(int) - upright).max() <= 8


@pytest.mark.parametrize(
    "content", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff"]
)
def test_damaged_exif_data_leave_a_picture_unrotated(content):
    np.testing.assert_array_equal(read_picture(encoded(GREY, exif=content)), GREY[..., None])


def test_of_several_pictures_in_a_jpeg_file_the_first_is_the_photo():
    first, second = Image.new("RGB", (16, 16), "white"), Image.new("RGB", (8, 8))
    content = encoded(first, "MPO", save_all=True, append_images=[second])
    assert read_picture(content).shape == (16, 16, 3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_several_pages_are_refused(kind):
    pages = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 100, 200)]
    content = encoded(pages[0], kind, save_all=True, append_images=pages[1:])
    with pytest.raises(ImageFileError, match="holds several pictures; save the right one"):
        read_picture(content)


def test_thirty_two_bits_are_refused():
    for values in (GREY.astype(np.float32), GREY.astype(np.int32)):
        with pytest.raises(ImageFileError, match="32 bits per channel"):
            read_picture(encoded(values, "TIFF"))


def test_an_error_names_the_file(tmp_path):
    path = tmp_path / "notes.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(ImageFileError, match=r"notes\.png: is not a picture in a known format; save it as PNG, JPEG"):
        read_picture(path)
    with pytest.raises(ImageFileError, match=r"^upload 3: is empty"):
        read_picture(b"", "upload 3")
    with pytest.raises(ImageFileError, match=r"^picture: is empty"):
        picture_size(b"")


def test_missing_files_folders_and_devices_are_refused(tmp_path):
    for path, reason in ((tmp_path / "none.png", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(ImageFileError, match=reason):
            read_picture(path)
    with pytest.raises(ImageFileError, match="not a regular file"):
        read_picture("/dev/zero")
    with pytest.raises(ImageFileError, match="cannot be read"):
        read_picture("nul\0.png")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x18ftypheic", "HEIF"),
        (b"II+\0\x08\0\0\0", "BigTIFF"),
        (b"<svg xmlns=", "SVG"),
        (b"8BPS\0\1", "Photoshop"),
    ],
)
def test_formats_that_are_not_read_are_called_by_their_names(content, named):
    with pytest.raises(ImageFileError, match=f"is an? {named}"):
        read_picture(content)


def test_a_file_of_too_many_bytes_is_not_read(tmp_path):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ImageFileError, match="more than 64 MiB"):
        read_picture(path)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, height):
    """Return a PNG file whose header states this size, but which has one black row only."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(width + 1))) + chunk(b"IEND", b"")


def tiff_directory(entries):
    """Return the directory of a TIFF file: each tag with one value of type 4, 32 bits; no further directory."""
    return struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items())
    ) + bytes(4)  # fmt: skip


def tiff_of(width, height, tiles=None):
    """Return a TIFF file whose directory states this size, but which has 64 bytes only."""
    # 256 and 257 are the size, 258 bits, 259 no compression, 262 black is 0; one strip of pixels begins at byte 8.
    entries = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: 64} | (tiles or {})
    return b"II*\0" + struct.pack("<I", 72) + bytes(64) + tiff_directory(entries)


def webp_of(width, height):
    """Return a WebP file whose chunk VP8X states this size, each side less 1 in three bytes, and without pixels."""
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sizes + b"VP8L" + struct.pack("<I", 8) + bytes(8)
    return b"RIFF" + struct.pack("<I", len(body)) + body


BOMBS = {
    "png": png_of(10_000, 10_000),
    "png of 4 gigapixels": png_of(65_000, 65_000),
    "png of one long row": png_of(65_536, 1),
    "bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 20_000, 20_000, 1, 24, 0, 0, 0, 0, 0, 0),
    "gif": b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + b",\0\0\0\0\x10\0\x10\0\0\x02\x02\0\0\0;",
    "webp": webp_of(16_000, 16_000),
    "tiff": tiff_of(30_000, 30_000),
    "tiff with large tiles": tiff_of(64, 64, tiles={322: 65_536, 323: 65_536}),
    "jpeg": b"\xff\xd8\xff\xc0" + struct.pack(">HBHHBBBB", 11, 8, 30_000, 30_000, 1, 1, 0x11, 0) + b"\xff\xda\0\2",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(name):
    tracemalloc.start()
    try:
        for read in (read_picture, picture_size):
            with pytest.raises(ImageFileError, match=r"pixels"):
                read(BOMBS[name], name)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_tags_that_point_at_the_same_bytes_again_and_again_are_refused():
    filler = bytes(1 << 20)
    count = 4_000
    directory = struct.pack("<H", count) + b"".join(
        struct.pack("<HHII", 40_000 + tag, 7, len(filler), 8) for tag in range(count)
    )
    content = b"II*\0" + struct.pack("<I", 8 + len(filler)) + filler + directory + bytes(4)
    tracemalloc.start()
    try:
        with pytest.raises(ImageFileError, match="is incomplete"):
            read_picture(content)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_exif_data_of_a_jpeg_file_are_not_passed_on_to_its_decoder():
    block = struct.pack("<H", 4_000) + b"".join(struct.pack("<HHII", 40_000 + t, 7, 60_000, 8) for t in range(4_000))
    segment = b"Exif\0\0II*\0" + struct.pack("<I", 8) + block
    whole = encoded(GREY, "JPEG")
    content = whole[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + whole[2:]
    tracemalloc.start()
    try:
        assert read_picture(content).shape == (10, 12, 1)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_jpeg_file_of_too_many_scans_is_refused():
    content = encoded(GREY, "JPEG")
    with pytest.raises(ImageFileError, match="scans"):
        read_picture(content[:-2] + b"\xff\xda\0\2" * 201 + content[-2:])


def test_threads_may_read_at_the_same_time():
    contents = [encoded(np.full((40, 40), value, np.uint8)) for value in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert [int(picture.max()) for picture in pool.map(read_picture, contents)] == list(range(8))


REAL = [
    encoded(GREY), encoded(COLOURS, exif=exif(6)), encoded(GREY.astype(np.uint16) * 257),
    encoded(COLOURS, "JPEG", exif=exif(3)), encoded(COLOURS, "JPEG", progressive=True),
    encoded(Image.fromarray(COLOURS).convert("CMYK"), "JPEG"), encoded(COLOURS, "WEBP"),
    encoded(COLOURS, "WEBP", lossless=True, exif=exif(5)), encoded(GREY, "BMP"), encoded(COLOURS, "GIF"),
    encoded(COLOURS, "TIFF", exif=exif(8)), encoded(COLOURS, "TIFF", compression="tiff_lzw"),
    encoded(COLOURS, "TIFF", compression="jpeg"), encoded(Image.fromarray(GREY > 100), "TIFF", compression="group4"),
    encoded(Image.fromarray(COLOURS).quantize(16)),
]  # fmt: skip
STARTS = [
    b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM", b"II*\0", b"MM\0*", b"GIF89a", b"RIFF\x20\0\0\0WEBPVP8X",
]  # fmt: skip


def read_or_refuse(content):
    """Read a picture of the size in its header, or be refused with one line that has a next step."""
    refusal = None
    try:
        picture = read_picture(content)
    except ImageFileError as error:
        refusal = str(error)
    if refusal is not None:
        assert "; " in refusal
        assert "\n" not in refusal
        return
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] in (1, 3)
    assert picture.shape[:2] == picture_size(content)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_any_bytes_give_a_picture_or_an_error(start, rest):
    read_or_refuse(start + rest)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(REAL),
    st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6),
    st.integers(0, 3),
)
def test_damaged_files_give_a_picture_or_an_error(content, changes, cut):
    damaged = bytearray(content)
    for offset, values in changes:
        offset %= len(damaged)
        damaged[offset : offset + len(values)] = values
    with suppress(ImageFileError):
        picture_size(bytes(damaged))
    read_or_refuse(bytes(damaged[: len(damaged) - cut * len(damaged) // 7]))


MODES = ("L", "LA", "RGB", "RGBA", "P", "1", "I;16")


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_reduced_while_it_is_read_is_the_average_of_the_whole(mode):
    values = np.random.default_rng(0).integers(0, 256, (301, 97, 4)).astype(np.uint8)
    image = Image.fromarray(values, "RGBA")
    image = Image.fromarray(values[..., 0].astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    file = io.BytesIO()
    image.save(file, "PNG")
    whole = read_picture(file.getvalue())
    reduced, size = read_reduced(file.getvalue(), longest=40)
    assert (size, reduced.shape[:2]) == ((301, 97), (40, 13))
    np.testing.assert_array_equal(reduced, average(whole, 40, 13))
    np.testing.assert_array_equal(read_reduced(file.getvalue(), longest=301)[0], whole)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_reduced_while_it_is_read_is_turned_as_the_whole_is(orientation):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 24, 3)).astype(np.uint8))
    content = encoded(image, exif=exif(orientation))
    whole = read_picture(content)
    reduced, size = read_reduced(content, longest=20)
    assert size == whole.shape[:2]
    np.testing.assert_array_equal(reduced, average(whole, *reduced.shape[:2]))


def test_reading_ends_at_a_deadline():
    file = io.BytesIO()
    Image.new("L", (100, 100)).save(file, "PNG")
    with within(Deadline(0)), pytest.raises(DeadlineError):
        read_picture(file.getvalue())
