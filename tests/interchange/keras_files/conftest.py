import pytest

from convscope.interchange.keras_files import read_keras


@pytest.fixture
def read(tmp_path):
    """A function that writes bytes to a file and reads it as a Keras model."""

    def read_bytes(content, **options):
        path = tmp_path / "model"
        path.write_bytes(content)
        return read_keras(path, **options)

    return read_bytes
