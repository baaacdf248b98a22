import pytest

from convscope.interchange.keras_files import read_keras


@pytest.fixture
def read(tmp_path):
    """Return a function that reads bytes as a file."""

    def read_bytes(content, **options):
        path = tmp_path / "model"
        path.write_bytes(content)
        return read_keras(path, **options)

    return read_bytes
