"""Read the arrays and texts of an HDF5 file as Keras writes it, in plain Python, within fixed bounds.

No library of HDF5 is used: the C library has memory faults on damaged files, and links, external storage, filters and
chunks, which Keras does not write, are what attacks are made of. They are refused by name, and so is whatever else the
earliest file format, in which h5py writes unless it is told otherwise, does not have.

Source: HDF5 File Format Specification, version 3.0, The HDF Group; the sections are named at the functions.
"""

from convscope.interchange.keras_files.hdf5.arrays import StoredArray as StoredArray
from convscope.interchange.keras_files.hdf5.file import Hdf5File as Hdf5File
