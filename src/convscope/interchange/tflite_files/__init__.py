"""Models of TensorFlow Lite, read without TensorFlow; nothing in them is run. `interchange.tflite` writes them."""

from convscope.interchange.tflite_files.reading import read_tflite as read_tflite
