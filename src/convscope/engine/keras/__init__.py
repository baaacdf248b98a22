"""The engine `keras`: an `Architecture` as a Keras 3 model, computed by TensorFlow, JAX or PyTorch.

Importing this imports neither Keras nor its backend; the first computation does.
"""

from convscope.engine.keras.backend import backend_name as backend_name, load_keras as load_keras, versions as versions
from convscope.engine.keras.builder import build_keras as build_keras
from convscope.engine.keras.network import KerasNetwork as KerasNetwork
