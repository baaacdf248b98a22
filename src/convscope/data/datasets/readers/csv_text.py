"""The lines of a CSV or TSV file, in blocks of about a megabyte, and the numbers in them.

Unpacked bytes to rows.
"""

import csv
import hashlib
import re
from collections.abc import Iterator

from convscope.data.datasets.data_file import DataFileError
from convscope.data.datasets.readers.places import suffix_of
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
        first: the cells of the first line.
        has_header: whether they are names.
        delimiter: what parts the cells.

    Raises:
        DataFileError: if it is empty or no text, or has one column only, or more than MAX_COLUMNS.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._rest = b""
        self._line = 1  # of the first in `_rest`
        self._ended = False
        self._fill(1)
        if self._rest.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataFileError("is text in UTF-16; save it as UTF-8")
        self._rest = self._rest.removeprefix(b"\xef\xbb\xbf")
        start = self._rest.split(b"\n", 1)[0].rstrip(b"\r")
        if not start.strip():
            raise DataFileError("has an empty first line; save it with a header or an image there")
        if b"\0" in start:
            raise DataFileError("is not a text file; name a CSV file")
        text = decoded(start, 1)
        self.delimiter = max(DELIMITERS, key=text.count)
        if text.count(self.delimiter) > MAX_COLUMNS:
            raise DataFileError(f"has more than {MAX_COLUMNS:,} columns; is this a table with one image per line?")
        self.first = tuple(cell.strip() for cell in self.cells(text, 1))
        if len(self.first) < 2:
            raise DataFileError("has one column only; separate the columns by commas")
        self.has_header = is_header(self.first)

    def cells(self, text: str, line: int) -> list[str]:
        """Return the cells of one line; raises `DataFileError` if its quotes do not match or a cell is too long."""
        try:
            rows = list(csv.reader([text], delimiter=self.delimiter))
        except csv.Error as error:
            raise DataFileError(f"line {line:,} cannot be read ({error}); save the table again") from error
        return rows[0] if rows else []

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield (number of the first line, whole lines) after the header; each line ends with a newline."""
        if self.has_header:
            self._rest = self._rest.partition(b"\n")[2]
            self._line = 2
        while True:
            self._fill(BLOCK_BYTES)
            end = len(self._rest) if self._ended else self._rest.rfind(b"\n") + 1
            block, self._rest = self._rest[:end], self._rest[end:]
            if not block:
                return
            lines = block.count(b"\n")
            block = block.replace(b"\r\n", b"\n")
            if self._ended:
                block = block.rstrip(b"\r\n") + b"\n"
            if block.strip():
                yield self._line, block
            self._line += lines

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (number of the line, its cells) for each line after the header that is not empty.

        Raises:
            DataFileError: if one has more or fewer cells than the first line.
        """
        for start, block in self.blocks():
            yield from self.rows_of(start, block)

    def rows_of(self, start: int, block: bytes) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows of one block, whose first line has the number `start`."""
        for line, content in enumerate(block.split(b"\n"), start):
            if not content.strip():
                continue
            cells = self.cells(decoded(content, line), line)
            if len(cells) != len(self.first):
                raise DataFileError(
                    f"line {line:,} has {len(cells):,} cells, but the first line {len(self.first):,}; each line must "
                    "hold one image"
                )
            yield line, cells

    def sha256(self) -> str:
        """Return the digest of all that was read: after the last block, of the whole unpacked file."""
        return self._digest.hexdigest()

    def _fill(self, wanted: int) -> None:
        """Read on until `wanted` bytes with an end of a line are there, or the file ends."""
        pieces, size, has_end = [self._rest], len(self._rest), b"\n" in self._rest
        while not self._ended and (size < wanted or not has_end):
            piece = self._stream.read_some(BLOCK_BYTES)
            self._ended = not piece
            self._digest.update(piece)
            pieces.append(piece)
            size += len(piece)
            has_end = has_end or b"\n" in piece
            if not has_end and size > MAX_LINE_BYTES:
                raise DataFileError(
                    f"line {self._line:,} has more than {MAX_LINE_BYTES >> 20} MiB, or is not a line; is this a table "
                    "with one image per line?"
                )
        self._rest = b"".join(pieces)


def is_number(text: str) -> bool:
    """Return whether a cell is a number."""
    return bool(_NUMBER.fullmatch(text.strip(" \t")))


def is_header(cells: tuple[str, ...]) -> bool:
    """Return whether the cells of a first line are names: no picture files, and no numbers but such as count cells."""
    if len(cells) < 9 and any(suffix_of(cell) in SUFFIXES for cell in cells):
        return False
    inner = cells[1:-1] or cells
    numbers = [int(cell) for cell in inner if cell.isascii() and cell.isdigit() and len(cell) < 9]
    if len(numbers) == len(inner) >= 4 and numbers == list(range(numbers[0], numbers[0] + len(inner))):
        return numbers[0] in (0, 1)
    return not any(is_number(cell) for cell in inner)


def decoded(content: bytes, line: int) -> str:
    """Return text in UTF-8; raises `DataFileError` if it is not."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DataFileError(f"line {line:,} is not text in UTF-8; save the table as UTF-8") from error
