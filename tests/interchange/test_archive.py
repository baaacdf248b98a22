"""How many bytes a member of another program's archive may unpack to."""

import zipfile
from io import BytesIO

import pytest

from convscope.interchange.archive import Archive
from convscope.interchange.refusal import ModelFileError

SIZE = 32 << 20


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_weights_unpack_to_what_is_needed_or_to_four_times_the_file(compression: int):
    content = BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        file.writestr("net/data/0", bytes(SIZE))
    archive = Archive(content, "file of torch.save")
    assert len(archive.read_weights("net/data/0", SIZE)) == SIZE
    if compression == zipfile.ZIP_STORED:  # the file itself is as large, so more bytes than needed are harmless
        assert len(archive.read_weights("net/data/0", 1000)) == SIZE
    else:
        with pytest.raises(ModelFileError, match=r"claims 33,554,432 bytes; at most .* are read"):
            archive.read_weights("net/data/0", 1000)
