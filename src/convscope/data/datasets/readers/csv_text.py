"""Split a CSV or TSV file into lines and cells; no more than a megabyte and a line are in memory at once."""

import csv
import hashlib
import re
from collections.abc import Iterator

from convscope.data.datasets.data_file import DataFileError
from convscope.data.datasets.readers.containers import suffix_of
from convscope.data.datasets.readers.unpack import ByteStream
from convscope.data.image_files import SUFFIXES

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 22  # a colour image of 512 × 512 takes 3 MB
MAX_COLUMNS = 1 << 18  # 512 × 512 pixels
DELIMITERS = ",;\t|"

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class CsvText:
    """A CSV file that is read once, from its first line on.

    Attributes:
        first: the cells of the first line, stripped.
        has_header: whether they are names of columns.
        delimiter: the character between two cells.

    Raises:
        DataFileError: if it is empty or no text, or has one column only, or more than MAX_COLUMNS.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._digest = hashlib.sha256()
        self._lines = self._read_lines(stream)
        text = _decode_first(next(self._lines, b""))
        self.delimiter = max(DELIMITERS, key=text.count)
        if text.count(self.delimiter) > MAX_COLUMNS:
            raise DataFileError(f"has more than {MAX_COLUMNS:,} columns; is this a table with one image per line?")
        self._first_cells = self._split(text, 1)
        self.first = tuple(cell.strip() for cell in self._first_cells)
        if len(self.first) < 2:
            raise DataFileError("has one column only; separate the columns by commas")
        self.has_header = is_header(self.first)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (number of the line, its cells) for each line after the header that is not empty.

        Raises:
            DataFileError: if one has more or fewer cells than the first line, or is no text.
        """
        if not self.has_header:
            yield 1, self._first_cells
        for number, line in enumerate(self._lines, 2):
            if not line.strip():
                continue
            cells = self._split(_decode(line, number), number)
            if len(cells) != len(self.first):
                raise DataFileError(
                    f"line {number:,} has {len(cells):,} cells, but the first line {len(self.first):,}; each line must "
                    "hold one image"
                )
            yield number, cells

    def sha256(self) -> str:
        """The digest of all bytes that were read so far; after the last row, of the whole unpacked file."""
        return self._digest.hexdigest()

    def _read_lines(self, stream: ByteStream) -> Iterator[bytes]:
        rest, number = b"", 1
        while piece := stream.read_some(BLOCK_BYTES):
            self._digest.update(piece)
            *lines, rest = (rest + piece).split(b"\n")  # the last line goes on in the next piece
            yield from lines
            number += len(lines)
            if len(rest) > MAX_LINE_BYTES:  # otherwise a file without a line feed would be read into memory as a whole
                raise DataFileError(
                    f"line {number:,} has more than {MAX_LINE_BYTES >> 20} MiB, or is not a line; is this a table with "
                    "one image per line?"
                )
        yield rest

    def _split(self, text: str, number: int) -> list[str]:
        try:
            return next(csv.reader([text], delimiter=self.delimiter), [])
        except csv.Error as error:  # a cell beyond the module's limit, or a byte that no text has
            if len(text) > (limit := csv.field_size_limit()):
                raise DataFileError(
                    f"line {number:,} has {len(text):,} characters; the limit is {limit:,} for a cell"
                ) from error
            raise DataFileError(f"line {number:,} cannot be read ({error}); save the table again") from error


def is_number(text: str) -> bool:
    """True if a cell is a number."""
    return bool(_NUMBER.fullmatch(text.strip(" \t")))


def is_header(cells: tuple[str, ...]) -> bool:
    """True if the cells of a first line are names of columns, or numbers that count the columns.

    So are label,pixel0,pixel1 and label,0,1,2,3,4; but 7,0,0,84,185 and seven,0,0,84,185 are images.
    """
    if len(cells) < 9 and any(suffix_of(cell) in SUFFIXES for cell in cells):
        return False  # the first picture of a table of file names without header
    inner = cells[1:-1] or cells  # the label may be a number or a text, in the first or the last column
    numbers = [int(cell) for cell in inner if cell.isascii() and cell.isdigit() and len(cell) < 9]
    # pandas names columns 0, 1, 2, ...; at least four pixels of an image hardly rise by 1 each.
    if len(numbers) == len(inner) >= 4 and numbers == list(range(numbers[0], numbers[0] + len(inner))):
        return numbers[0] in (0, 1)
    return not any(is_number(cell) for cell in inner)


def _decode_first(line: bytes) -> str:
    """Decode the first line, and refuse other kinds of file by it."""
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataFileError("is text in UTF-16; save it as UTF-8")
    line = line.removeprefix(b"\xef\xbb\xbf")  # a byte order mark, as Excel writes it
    if not line.strip():
        raise DataFileError("has an empty first line; save it with a header or an image there")
    if b"\0" in line:
        raise DataFileError("is not a text file; name a CSV file")
    return _decode(line, 1)


def _decode(content: bytes, number: int) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DataFileError(f"line {number:,} is not text in UTF-8; save the table as UTF-8") from error
