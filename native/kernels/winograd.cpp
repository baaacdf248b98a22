// The transforms of a Winograd convolution (winograd_transforms.hpp has the formulas): between a map, with vectors along the
// channels, and matrices (position, tile, channel), which `multiply` multiplies. Number (y, x) of a tile is at
//     map: offsets[tile] + y row + x pixel + c        transformed: (y N + x) position_step + tile tile_step + c
// Arguments are copies, so the compiler knows that no store through a pointer changes them.
#include "winograd_transforms.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

template <class T>
void input(const WinogradTiles p) {
    constexpr int N = T::points;
    for (int64_t tile = 0; tile < p.tiles; ++tile) {
        for (int64_t c = 0; c < p.channels; c += width) {
            const float* from = p.map + p.offsets[tile] + c;
            float* to = p.transformed + tile * p.tile_step + c;
            transform_square<N, N>([](const Vector(&d)[N], Vector(&t)[N]) CONVSCOPE_INLINE_LAMBDA { T::input(d, t); },
                                   [&](int y, int x)
                                       CONVSCOPE_INLINE_LAMBDA { return load(from + y * p.row + x * p.pixel); },
                                   [&](int y, int x, Vector value)
                                       CONVSCOPE_INLINE_LAMBDA { store(to + (y * N + x) * p.position_step, value); });
        }
    }
}

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

template <class T>
void output(const WinogradTiles p) {
    constexpr int N = T::points, M = T::outputs;
    const Vector zero{};
    for (int64_t tile = 0; tile < p.tiles; ++tile) {
        const int64_t rows = p.inside[2 * tile], columns = p.inside[2 * tile + 1];
        for (int64_t c = 0; c < p.channels; c += width) {
            float* to = p.map + p.offsets[tile] + c;
            const float* from = p.transformed + tile * p.tile_step + c;
            const Vector bias = load(p.bias + c);
            transform_square<N, M>([](const Vector(&m)[N], Vector(&t)[M]) CONVSCOPE_INLINE_LAMBDA { T::output(m, t); },
                                   [&](int y, int x)
                                       CONVSCOPE_INLINE_LAMBDA { return load(from + (y * N + x) * p.position_step); },
                                   [&](int y, int x, Vector value) CONVSCOPE_INLINE_LAMBDA {
                                       if (y >= rows || x >= columns) return;
                                       value += bias;
                                       if (p.relu) value = value > zero ? value : zero;
                                       store_first(to + y * p.row + x * p.pixel, value, p.channels - c);
                                   });
        }
    }
}

template <class T>
void output_backward(const WinogradTiles p) {
    constexpr int N = T::points, M = T::outputs;
    for (int64_t tile = 0; tile < p.tiles; ++tile) {
        for (int64_t c = 0; c < p.channels; c += width) {
            const float* from = p.map + p.offsets[tile] + c;
            float* to = p.transformed + tile * p.tile_step + c;
            transform_square<M, N>(
                [](const Vector(&y)[M], Vector(&t)[N]) CONVSCOPE_INLINE_LAMBDA { T::output_backward(y, t); },
                [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + y * p.row + x * p.pixel); },
                [&](int y, int x, Vector value)
                    CONVSCOPE_INLINE_LAMBDA { store(to + (y * N + x) * p.position_step, value); });
        }
    }
}

template <class T>
void weights(const WinogradWeights p) {
    constexpr int N = T::points, R = T::kernel;
    const int64_t step = p.channels * panel;
    for (int64_t at = 0; at < step; at += width) {
        const float* from = p.rows + at;
        float* to = p.transformed + at;
        transform_square<R, N>([](const Vector(&g)[R], Vector(&t)[N]) CONVSCOPE_INLINE_LAMBDA { T::weights(g, t); },
                               [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + (y * R + x) * step); },
                               [&](int y, int x, Vector value)
                                   CONVSCOPE_INLINE_LAMBDA { store(to + (y * N + x) * step, value); });
    }
}

template <class T>
void weights_backward(const WinogradWeights p) {
    constexpr int N = T::points, R = T::kernel;
    const int64_t step = p.channels * panel;
    for (int64_t channel = 0; channel < p.channels; ++channel) {
        for (int64_t v = 0; v < p.columns; v += width) {
            const float* from = p.transformed + channel * panel + v;
            float* to = p.rows + channel * panel + v;
            transform_square<N, R>(
                [](const Vector(&m)[N], Vector(&t)[R]) CONVSCOPE_INLINE_LAMBDA { T::weights_backward(m, t); },
                [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + (y * N + x) * step); },
                [&](int y, int x, Vector value) CONVSCOPE_INLINE_LAMBDA {
                    float* row = to + (y * R + x) * step;
                    store_first(row, load(row) + value, p.columns - v);
                });
        }
    }
}

// Calls `function` with the transform that `algorithm` names.
template <class Function>
CONVSCOPE_INLINE void with_transform(WinogradAlgorithm algorithm, Function function) {
    switch (algorithm) {
        case WinogradAlgorithm::f2x3:
            return function(Transform<4, 3>());
        case WinogradAlgorithm::f4x3:
            return function(Transform<6, 3>());
        case WinogradAlgorithm::f2x5:
            return function(Transform<6, 5>());
        case WinogradAlgorithm::f4x5:
            return function(Transform<8, 5>());
        case WinogradAlgorithm::none:
            return;
    }
}

}  // namespace

void winograd_input(const WinogradTiles& p) {
    with_transform(p.algorithm, [&](auto transform) CONVSCOPE_INLINE_LAMBDA { input<decltype(transform)>(p); });
}
void winograd_input_backward(const WinogradTiles& p) {
    with_transform(p.algorithm,
                   [&](auto transform) CONVSCOPE_INLINE_LAMBDA { input_backward<decltype(transform)>(p); });
}
void winograd_output(const WinogradTiles& p) {
    with_transform(p.algorithm, [&](auto transform) CONVSCOPE_INLINE_LAMBDA { output<decltype(transform)>(p); });
}
void winograd_output_backward(const WinogradTiles& p) {
    with_transform(p.algorithm,
                   [&](auto transform) CONVSCOPE_INLINE_LAMBDA { output_backward<decltype(transform)>(p); });
}
void winograd_weights(const WinogradWeights& p) {
    with_transform(p.algorithm, [&](auto transform) CONVSCOPE_INLINE_LAMBDA { weights<decltype(transform)>(p); });
}
void winograd_weights_backward(const WinogradWeights& p) {
    with_transform(p.algorithm,
                   [&](auto transform) CONVSCOPE_INLINE_LAMBDA { weights_backward<decltype(transform)>(p); });
}

// Transforms the products of f2x3 to a tile's four outputs, and writes the largest and its index. If a tile's pixels
// are equal along rows or columns, so are its outputs, bit by bit, and the first wins, as in the direct algorithm.
void winograd_pool(const WinogradCells& cells) {
    const WinogradCells p = cells;
    const Vector zero{};
    const int64_t step = p.cells * panel;
    const auto pool = [&](auto whole) CONVSCOPE_INLINE_LAMBDA {
        for (int64_t cell = 0; cell < p.cells; ++cell) {
            for (int64_t v = 0; v < (whole ? panel : p.columns); v += width) {
                const float* from = p.products + cell * panel + v;
                const int64_t count = whole ? width : p.columns - v;
                Vector outputs[4];
                transform_square<4, 2>(
                    [](const Vector(&m)[4], Vector(&t)[2]) CONVSCOPE_INLINE_LAMBDA { Transform<4, 3>::output(m, t); },
                    [&](int y, int x) CONVSCOPE_INLINE_LAMBDA { return load(from + (4 * y + x) * step); },
                    [&](int y, int x, Vector value) CONVSCOPE_INLINE_LAMBDA { outputs[2 * y + x] = value; });
                int32_t* winner = p.winners ? p.winners + cell * p.winner_row + v : nullptr;
                Vector largest = largest_of_four(outputs, winner, count);
                largest += load(p.bias + v);
                if (p.relu) largest = largest > zero ? largest : zero;
                store_first(p.output + p.output_offsets[cell] + v, largest, count);
            }
        }
    };
    p.columns == panel ? pool(true_type()) : pool(false_type());
}

}  // namespace convscope::CONVSCOPE_ISA
