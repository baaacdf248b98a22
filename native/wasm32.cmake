# The toolchain of the page: WebAssembly with SIMD, without threads and exceptions, on WASI's C library. Debian has it in
# clang-19, lld-19, wasi-libc, libc++-19-dev-wasm32, libc++abi-19-dev-wasm32 and libclang-rt-19-dev-wasm32.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_CXX_COMPILER clang++-19 CACHE STRING "A Clang that knows wasm32-wasi")
set(CMAKE_CXX_COMPILER_TARGET wasm32-wasi)
set(CMAKE_CXX_FLAGS_INIT "-msimd128 -fno-rtti")
set(CMAKE_EXECUTABLE_SUFFIX_CXX .wasm)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(CONVSCOPE_THREADS OFF)
set(CONVSCOPE_EXCEPTIONS OFF)
