"""Models of TensorFlow Lite, read without TensorFlow; nothing in them is run. `tflite_export` writes such files."""

from convscope.interchange.tflite_files.reading import read_tflite as read_tflite
