# The toolchain of the wheels: Zig as compiler and linker for the target that build_wheels.py puts into the environment.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $ENV{CONVSCOPE_PROCESSOR})
set(CMAKE_CXX_COMPILER $ENV{CONVSCOPE_ZIG} c++)
set(CMAKE_CXX_COMPILER_TARGET $ENV{CONVSCOPE_TARGET})
# nanobind 3.1 uses stderr without including it, and Python's headers then define again what the C library's have defined.
set(CMAKE_CXX_FLAGS_INIT "-include cstdio -Wno-macro-redefined")
# Zig's own archiver is a subcommand, and that of this machine knows no other machine's symbols.
set(CMAKE_CXX_ARCHIVE_CREATE "\"$ENV{CONVSCOPE_ZIG}\" ar qc <TARGET> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "\"$ENV{CONVSCOPE_ZIG}\" ranlib <TARGET>")
