"""Bring a model of Keras: from a file that nobody has to trust, or from memory. Nothing here needs Keras."""

from convscope.interchange.keras_files.live import from_keras as from_keras
from convscope.interchange.keras_files.reading import read_keras as read_keras
