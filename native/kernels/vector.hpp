// The vector type of the instruction set for which a kernel is compiled. Only kernels include this file: everything is in the
// namespace of the instruction set, so no two object files share a function compiled with different flags.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "kernels.hpp"
#include "split_mix.hpp"

#ifndef CONVSCOPE_ISA
#error "CONVSCOPE_ISA names the namespace of the instruction set"
#endif

#if defined(__AVX512F__)
#define CONVSCOPE_VECTOR_BYTES 64
#define CONVSCOPE_TILE_ROWS 9  // 9 x 2 sums, 2 of B and 1 of A: 21 of 32 registers
#define CONVSCOPE_NARROW_CELLS 4  // cells in a tile: 4 cells x 4 pixels x 1 register of columns are 16 sums,
#define CONVSCOPE_WIDE_CELLS 2  // and so are 2 x 4 x 2
#elif defined(__AVX__)
#define CONVSCOPE_VECTOR_BYTES 32
#define CONVSCOPE_TILE_ROWS 6  // 6 x 2 sums, 2 of B and 1 of A: 15 of 16 registers
#define CONVSCOPE_NARROW_CELLS 3  // 3 x 4 x 1: 12 sums
#define CONVSCOPE_WIDE_CELLS 1  // 1 x 4 x 2: 8 sums, since 16 would leave no register
#elif defined(__aarch64__)
#define CONVSCOPE_VECTOR_BYTES 16
#define CONVSCOPE_TILE_ROWS 8  // 8 x 2 + 2 + 1: 19 of 32 registers
#define CONVSCOPE_NARROW_CELLS 4
#define CONVSCOPE_WIDE_CELLS 2
#elif defined(__wasm_simd128__)
#define CONVSCOPE_VECTOR_BYTES 16  // wider vectors are split into these, and the sums then spill
#define CONVSCOPE_TILE_ROWS 4  // V8 has 16 registers on x86-64 and no multiply-add: 6 rows are half as fast there
#define CONVSCOPE_NARROW_CELLS 2
#define CONVSCOPE_WIDE_CELLS 1
#else
#define CONVSCOPE_VECTOR_BYTES 16
#define CONVSCOPE_TILE_ROWS 6  // as with AVX, 16 registers
#define CONVSCOPE_NARROW_CELLS 3
#define CONVSCOPE_WIDE_CELLS 1
#endif

#if defined(__clang__)
#define CONVSCOPE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CONVSCOPE_UNROLL _Pragma("GCC unroll 32")
#endif
// For loops over a square that needs more registers than there are. In WebAssembly unrolling gains nothing, since the square
// spills anyway, and code size matters, since every reader downloads it.
#if defined(__wasm_simd128__)
#define CONVSCOPE_UNROLL_SQUARE _Pragma("clang loop unroll(disable)")
#else
#define CONVSCOPE_UNROLL_SQUARE CONVSCOPE_UNROLL
#endif
// Makes the compiler keep a pointer or an index in a register, instead of one pointer for each address.
#define CONVSCOPE_KEEP(pointer) asm("" : "+r"(pointer))
#define CONVSCOPE_INLINE static inline __attribute__((always_inline))
#define CONVSCOPE_INLINE_LAMBDA __attribute__((always_inline))  // stands after the parameters of a lambda

namespace convscope::CONVSCOPE_ISA {

// Rows of a map with an odd number of channels are not aligned, so a vector in memory is aligned like a float.
typedef float Vector __attribute__((vector_size(CONVSCOPE_VECTOR_BYTES)));
typedef int32_t Mask __attribute__((vector_size(CONVSCOPE_VECTOR_BYTES)));
typedef float VectorInMemory __attribute__((vector_size(CONVSCOPE_VECTOR_BYTES), aligned(4), may_alias));
typedef int32_t MaskInMemory __attribute__((vector_size(CONVSCOPE_VECTOR_BYTES), aligned(4), may_alias));

typedef uint32_t Pairs __attribute__((vector_size(CONVSCOPE_VECTOR_BYTES)));  // two bfloat16, the first in the lower half
typedef uint32_t PairsInMemory __attribute__((vector_size(CONVSCOPE_VECTOR_BYTES), aligned(2), may_alias));

constexpr int64_t width = CONVSCOPE_VECTOR_BYTES / 4;
constexpr int64_t panel = 2 * width;

CONVSCOPE_INLINE Vector load(const float* from) { return *reinterpret_cast<const VectorInMemory*>(from); }
CONVSCOPE_INLINE Mask load(const int32_t* from) { return *reinterpret_cast<const MaskInMemory*>(from); }
CONVSCOPE_INLINE void store(float* to, Vector value) { *reinterpret_cast<VectorInMemory*>(to) = value; }
CONVSCOPE_INLINE void store(int32_t* to, Mask value) { *reinterpret_cast<MaskInMemory*>(to) = value; }
CONVSCOPE_INLINE Pairs load_pairs(const uint16_t* from) { return *reinterpret_cast<const PairsInMemory*>(from); }
CONVSCOPE_INLINE void store_pairs(uint16_t* to, Pairs value) { *reinterpret_cast<PairsInMemory*>(to) = value; }
CONVSCOPE_INLINE Vector broadcast(float value) { return value - Vector{}; }

CONVSCOPE_INLINE void prefetch(const float* begin, const float* end) {
    constexpr int64_t cache_line = 16;
    for (; begin < end; begin += cache_line) __builtin_prefetch(begin);
}

// Compares bits: false for 0 and -0, true for everything else.
CONVSCOPE_INLINE bool is_nonzero(float value) { return __builtin_bit_cast(uint32_t, value) << 1 != 0; }

// Returns the bitwise or of all lanes.
CONVSCOPE_INLINE uint32_t or_lanes(Mask lanes) {
    typedef uint64_t Quarter __attribute__((vector_size(16)));
    Quarter quarters[width / 4];  // one, two or four
    memcpy(quarters, &lanes, sizeof quarters);
    CONVSCOPE_UNROLL
    for (int64_t i = 1; i < width / 4; ++i) quarters[0] |= quarters[i];
    const uint64_t pair = quarters[0][0] | quarters[0][1];
    return static_cast<uint32_t>(pair | pair >> 32);
}

// For code that is compiled twice, once for each value of a condition.
struct true_type { constexpr operator bool() const { return true; } };
struct false_type { constexpr operator bool() const { return false; } };

// Stores the first `count` lanes, or all of them.
template <class Element, class Lanes>
CONVSCOPE_INLINE void store_first(Element* to, Lanes value, int64_t count) {
    if (count >= width) {
        store(to, value);
    } else if (count > 0) {
#if defined(__AVX512F__)
        _mm512_mask_storeu_epi32(to, static_cast<__mmask16>((1u << count) - 1), __builtin_bit_cast(__m512i, value));
#else
        memcpy(to, &value, static_cast<size_t>(count) * sizeof(Element));
#endif
    }
}

// Adds the first `count` lanes, or all of them, to numbers whose neighbours are loaded next: until a masked store is done, no
// load near it begins, which takes several times as long as this copy.
CONVSCOPE_INLINE void add_first(float* to, Vector value, int64_t count) {
    const Vector sum = load(to) + value;
    memcpy(to, &sum, static_cast<size_t>(count < width ? count : width) * sizeof(float));
}

// Returns the largest of four values, the first of equal ones, and its index for `count` lanes in `winner` if not null.
CONVSCOPE_INLINE Vector largest_of_four(const Vector* values, int32_t* winner, int64_t count) {
    Vector largest = values[0];
    if (winner == nullptr) {
        CONVSCOPE_UNROLL
        for (int j = 1; j < 4; ++j) largest = values[j] > largest ? values[j] : largest;
        return largest;
    }
    Mask which{};
    CONVSCOPE_UNROLL
    for (int j = 1; j < 4; ++j) {
        const Mask better = values[j] > largest;
        largest = better ? values[j] : largest;
        which = better ? Mask{} + j : which;
    }
    store_first(winner, which, count);
    return largest;
}

// The kernels, for their table. A kernel with many arguments takes them in a structure.
template <class Arguments>
using Kernel = void(const Arguments&);
Kernel<Product> multiply;
Kernel<PoolingImage> pool, pool_backward, average, average_backward;
Kernel<DepthwiseImage> depthwise, depthwise_kernel, depthwise_input;
Kernel<WinnersImage> winners_kernel_by_filters, winners_kernel_by_runs, winners_input;
Kernel<Resampling> resample;
Kernel<WinogradTiles> winograd_input, winograd_input_backward, winograd_output, winograd_output_backward;
Kernel<WinogradWeights> winograd_weights, winograd_weights_backward;
Kernel<WinogradCells> winograd_pool;
Kernel<Bfloat16Product> multiply_bfloat16;
int64_t find_live_cells(const CellSearch&);
void normalise(const uint8_t*, int64_t, int64_t, float, float, float*, int64_t);
void take_step(float*, float*, float*, const float*, int64_t, const OptimizerStep&);
void approach(float*, const float*, int64_t, float);
void multiply_by(float*, int64_t, float);
double sum_of_squares(const float*, int64_t);
void round_columns(const float*, int64_t, int64_t, double, float*);
float largest_size(const float*, int64_t);
float add_scaled(float*, const float*, const float*, float, int64_t);
double cross_entropy(const float*, int64_t, int64_t, float, float, float*, bool*);
void softmax(const float*, int64_t, float*);
void add(float*, const float*, int64_t);
void channel_sums(const float*, const Maps&, float*);
void channel_squares(const float*, const Maps&, const float*, float*);
void channel_products(const float*, const float*, const Maps&, const float*, float*, float*);
void scale_channels(const float*, int64_t, int64_t, const float*, const float*, bool, float*);
void combine_channels(const float*, const float*, int64_t, int64_t, const ChannelFactors&, float*);
void activate(Activation, float, const float*, int64_t, float*);
void activate_backward(Activation, float, const float*, const float*, int64_t, float*);
void prelu(const float*, const float*, int64_t, float*);
void prelu_backward(const float*, const float*, const float*, int64_t, float*, float*);
void even_pairs(uint64_t, int64_t, float*, float*);
void normal_pairs(uint64_t, int64_t, float*, float*);
void smooth(const float*, int64_t, const float*, int64_t, int64_t, float*);
void to_bytes(const float*, int64_t, float, float, const float*, float, uint8_t*);
void dropout(uint64_t, int64_t, int64_t, const float*, int64_t, float*);
void copy_where_positive(float*, const float*, const float*, int64_t);
void transpose(const float*, int64_t, float*, int64_t, int64_t, int64_t);
double multiply_add(int64_t, float*);
void round_to_bfloat16(const float*, int64_t, uint16_t*);
void pair_rows(const float*, const int64_t*, int64_t, uint16_t*);
void transpose_rows(const float*, int64_t, int64_t, uint16_t*);
void by_channels(const float*, const int64_t*, int64_t, int64_t, uint16_t*, int64_t);

}  // namespace convscope::CONVSCOPE_ISA
