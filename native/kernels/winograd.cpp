// The transforms of a Winograd convolution, which computes a tile of M x M outputs at once (Lavin and Gray 2016):
//
//     Y = A^T [sum over channels of (G g G^T) . (B^T x B)] A        .: number by number
//
// x are the N x N input pixels that a tile reads (N = M + R - 1), g is the R x R kernel, and Y the outputs. A, B and G
// follow from N points of interpolation: `Transform` in winograd_transforms.hpp multiplies a vector by these matrices,
// and `transform_square` does so along columns and rows, to get B^T x B. The backward pass uses the transposes.
//
// The functions below transform tiles of a map to matrices (position, tile, channel), or back, with vectors along the
// channels; `multiply` computes the sums between them. Number (y, x) of a tile is at
//     map: offsets[tile] + y row + x pixel + c        transformed: (y N + x) position_step + tile tile_step + c
// Arguments are copies, so the compiler knows that no store through a pointer changes them.
#include "winograd_transforms.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

// transformed = B^T map B
template <class T>
void input(const WinogradTiles p) {
    constexpr int N = T::points;
    const int64_t step = p.position_step;
    for (int64_t tile = 0; tile < p.tiles; ++tile) {
        for (int64_t c = 0; c < p.channels; c += width) {
            const float* from = p.map + p.offsets[tile] + c;
            float* to = p.transformed + tile * p.tile_step + c;
            transform_square<N, N>(
                [](const Vector(&d)[N], Vector(&t)[N]) CONVSCOPE_INLINE_LAMBDA { T::input(d, t); },
                [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + y * p.row + x * p.pixel); },
                [&](int y, int x, Vector value) CONVSCOPE_INLINE_LAMBDA { store(to + (y * N + x) * step, value); });
        }
    }
}

// map += B transformed B^T
template <class T>
void input_backward(const WinogradTiles p) {
    constexpr int N = T::points;
    for (int64_t tile = 0; tile < p.tiles; ++tile) {
        for (int64_t c = 0; c < p.channels; c += width) {
            float* to = p.map + p.offsets[tile] + c;
            const float* from = p.transformed + tile * p.tile_step + c;
            transform_square<N, N>(
                [](const Vector(&d)[N], Vector(&t)[N]) CONVSCOPE_INLINE_LAMBDA { T::input_backward(d, t); },
                [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + (y * N + x) * p.position_step); },
                [&](int y, int x, Vector value) CONVSCOPE_INLINE_LAMBDA {
                    float* pixel = to + y * p.row + x * p.pixel;
                    store(pixel, load(pixel) + value);
                });
        }
    }
}

// map = A^T transformed A + bias, and relu; pixels outside the map are not written.
template <class T>
void output(const WinogradTiles p) {
    constexpr int N = T::points, M = T::outputs;
    const Vector zero{};
    for (int64_t tile = 0; tile < p.tiles; ++tile) {
        const int64_t rows = p.inside[2 * tile], columns = p.inside[2 * tile + 1];  // of the tile that are in the map
        for (int64_t c = 0; c < p.channels; c += width) {
            float* to = p.map + p.offsets[tile] + c;
            const float* from = p.transformed + tile * p.tile_step + c;
            const Vector bias = load(p.bias + c);
            transform_square<N, M>(
                [](const Vector(&m)[N], Vector(&t)[M]) CONVSCOPE_INLINE_LAMBDA { T::output(m, t); },
                [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + (y * N + x) * p.position_step); },
                [&](int y, int x, Vector value) CONVSCOPE_INLINE_LAMBDA {
                    if (y >= rows || x >= columns) return;
                    value += bias;
                    if (p.relu) value = value > zero ? value : zero;
                    store_first(to + y * p.row + x * p.pixel, value, p.channels - c);
                });
        }
    }
}

// transformed = A map A^T
template <class T>
void output_backward(const WinogradTiles p) {
    constexpr int N = T::points, M = T::outputs;
    const int64_t step = p.position_step;
    for (int64_t tile = 0; tile < p.tiles; ++tile) {
        prefetch(p.fetch.from + tile * p.fetch.step, p.fetch.from + (tile + 1) * p.fetch.step);
        for (int64_t c = 0; c < p.channels; c += width) {
            const float* from = p.map + p.offsets[tile] + c;
            float* to = p.transformed + tile * p.tile_step + c;
            transform_square<M, N>(
                [](const Vector(&y)[M], Vector(&t)[N]) CONVSCOPE_INLINE_LAMBDA { T::output_backward(y, t); },
                [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + y * p.row + x * p.pixel); },
                [&](int y, int x, Vector value) CONVSCOPE_INLINE_LAMBDA { store(to + (y * N + x) * step, value); });
        }
    }
}

// transformed = G rows G^T, for a vector of filters of one channel at a time
template <class T>
void weights(const WinogradWeights p) {
    constexpr int N = T::points, R = T::kernel;
    const int64_t step = p.channels * panel, position_step = p.position_step;
    for (int64_t at = 0; at < step; at += width) {
        const float* from = p.rows + at;
        float* to = p.transformed + at;
        transform_square<R, N>(
            [](const Vector(&g)[R], Vector(&t)[N]) CONVSCOPE_INLINE_LAMBDA { T::weights(g, t); },
            [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + (y * R + x) * step); },
            [&](int y, int x, Vector value) CONVSCOPE_INLINE_LAMBDA { store(to + (y * N + x) * position_step, value); });
    }
}

// rows += G^T transformed G; columns after the last filter are not written.
template <class T>
void weights_backward(const WinogradWeights p) {
    constexpr int N = T::points, R = T::kernel;
    const int64_t step = p.channels * panel, position_step = p.position_step;
    for (int64_t channel = 0; channel < p.channels; ++channel) {
        for (int64_t filter = 0; filter < p.columns; filter += width) {
            const float* from = p.transformed + channel * panel + filter;
            float* to = p.rows + channel * panel + filter;
            transform_square<N, R>(
                [](const Vector(&m)[N], Vector(&t)[R]) CONVSCOPE_INLINE_LAMBDA { T::weights_backward(m, t); },
                [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + (y * N + x) * position_step); },
                [&](int y, int x, Vector value) CONVSCOPE_INLINE_LAMBDA {
                    float* row = to + (y * R + x) * step;
                    store_first(row, load(row) + value, p.columns - filter);
                });
        }
    }
}

// Calls `function` with the transform that `algorithm` names.
template <class Function>
CONVSCOPE_INLINE void with_transform(WinogradAlgorithm algorithm, Function function) {
    switch (algorithm) {
        case WinogradAlgorithm::f2x3: return function(Transform<4, 3>());
        case WinogradAlgorithm::f4x3: return function(Transform<6, 3>());
        case WinogradAlgorithm::f2x5: return function(Transform<6, 5>());
        case WinogradAlgorithm::f4x5: return function(Transform<8, 5>());
        case WinogradAlgorithm::none:
            return;
    }
}

}  // namespace

void winograd_input(const WinogradTiles& p) {
    with_transform(p.algorithm, [&](auto t) CONVSCOPE_INLINE_LAMBDA { input<decltype(t)>(p); });
}
void winograd_input_backward(const WinogradTiles& p) {
    with_transform(p.algorithm, [&](auto t) CONVSCOPE_INLINE_LAMBDA { input_backward<decltype(t)>(p); });
}
void winograd_output(const WinogradTiles& p) {
    with_transform(p.algorithm, [&](auto t) CONVSCOPE_INLINE_LAMBDA { output<decltype(t)>(p); });
}
void winograd_output_backward(const WinogradTiles& p) {
    with_transform(p.algorithm, [&](auto t) CONVSCOPE_INLINE_LAMBDA { output_backward<decltype(t)>(p); });
}
void winograd_weights(const WinogradWeights& p) {
    with_transform(p.algorithm, [&](auto t) CONVSCOPE_INLINE_LAMBDA { weights<decltype(t)>(p); });
}
void winograd_weights_backward(const WinogradWeights& p) {
    with_transform(p.algorithm, [&](auto t) CONVSCOPE_INLINE_LAMBDA { weights_backward<decltype(t)>(p); });
}

// Transforms the products of f2x3 to the four outputs of a cell (pooling window); writes the largest and its index. If
// pixels are equal along rows or columns, so are outputs, bit by bit, and the first wins, as in the direct algorithm.
void winograd_pool(const WinogradCells& cells) {
    const WinogradCells p = cells;
    const Vector zero{};
    const int64_t step = p.cells * panel;
    const auto pool = [&](auto whole) CONVSCOPE_INLINE_LAMBDA {  // whole: all columns of the panel are filters
        for (int64_t cell = 0; cell < p.cells; ++cell) {
            for (int64_t filter = 0; filter < (whole ? panel : p.columns); filter += width) {
                const float* from = p.products + cell * panel + filter;
                const int64_t count = whole ? width : p.columns - filter;
                Vector outputs[4];
                transform_square<4, 2>(
                    [](const Vector(&m)[4], Vector(&t)[2]) CONVSCOPE_INLINE_LAMBDA { Transform<4, 3>::output(m, t); },
                    [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + (4 * y + x) * step); },
                    [&](int y, int x, Vector value) CONVSCOPE_INLINE_LAMBDA { outputs[2 * y + x] = value; });
                int32_t* winner = p.winners ? p.winners + cell * p.winner_row + filter : nullptr;
                Vector largest = largest_of_four(outputs, winner, count);
                largest += load(p.bias + filter);
                if (p.relu) largest = largest > zero ? largest : zero;
                store_first(p.output + p.output_offsets[cell] + filter, largest, count);
            }
        }
    };
    p.columns == panel ? pool(true_type()) : pool(false_type());
}

}  // namespace convscope::CONVSCOPE_ISA
