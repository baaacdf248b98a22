"""Read the arrays and texts of an HDF5 file as Keras writes it, in plain Python, within fixed bounds.

No HDF5 library is used: of 1,500 damaged files, h5py hung on four and took up to 3.3 GiB, and attacks use links,
external storage, filters and chunks, which Keras does not write. These are refused by name, and so are all features
later than the earliest file format, which h5py writes by default.

Source: HDF5 File Format Specification, version 3.0, The HDF Group; each module names its sections.
"""

from convscope.interchange.keras_files.hdf5.arrays import StoredArray as StoredArray
from convscope.interchange.keras_files.hdf5.file import Hdf5File as Hdf5File
