// Depthwise convolution and its gradients. It is no matrix product: each output has its own few weights.
//
// A cell is an output pixel, a tap a position of the kernel. Vectors run along the outputs of a pixel. With one output
// per channel they are contiguous channels; else (Spread) lane i reads channel sources[output + i].
//
// The last vector of a pixel may exceed its outputs. Then its loads read on into the next pixel or the spare numbers at
// a buffer's end, and its last lanes read channel 0; stores and scattered additions stop at `outputs`. Outputs go to
// `output_offsets`, since the next layer may want a border around its map; gradients are dense, `outputs` for each cell.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

template <bool Spread>
CONVSCOPE_INLINE Vector channels_of(const DepthwiseImage& p, const float* pixel, int64_t output) {
    if constexpr (!Spread) return load(pixel + output);
    Vector values{};
    for (int64_t lane = 0; lane < width; ++lane) values[lane] = pixel[p.sources[output + lane]];
    return values;
}

CONVSCOPE_INLINE int64_t first_pixel(const DepthwiseImage& p, int64_t y, int64_t x) {
    return y * p.stride[0] * p.input_row + x * p.stride[1] * p.channels;
}

// Offset of the first weight of `output`. The weight of the next tap is `panel` further on, and the bias after the last tap.
CONVSCOPE_INLINE int64_t weights_of(const DepthwiseImage& p, int64_t output) {
    return output / panel * p.panel_size + output % panel;
}

// The sums of several cells of a row at a time, so that no sum waits for itself.
template <bool Spread, int64_t Cells>
void forward_cells(const DepthwiseImage& p, const float* first, const int64_t* offsets) {
    const int64_t step = p.stride[1] * p.channels;
    for (int64_t o = 0; o < p.outputs; o += width) {
        const float* weights = p.weights + weights_of(p, o);
        Vector sums[Cells];
        for (Vector& sum : sums) sum = load(weights + p.size[0] * p.size[1] * panel);
        for (int64_t r = 0; r < p.size[0]; ++r) {
            const float* pixel = first + r * p.kernel_row;
            for (int64_t s = 0; s < p.size[1]; ++s, pixel += p.kernel_column, weights += panel) {
                const Vector weight = load(weights);
                for (int64_t c = 0; c < Cells; ++c) sums[c] += channels_of<Spread>(p, pixel + c * step, o) * weight;
            }
        }
        for (int64_t c = 0; c < Cells; ++c) {
            if (p.relu) sums[c] = sums[c] > Vector{} ? sums[c] : Vector{};
            store_first(p.output + offsets[c] + o, sums[c], p.outputs - o);
        }
    }
}

template <bool Spread>
void forward(const DepthwiseImage& p) {
    constexpr int64_t cells = 4;
    const auto* offsets = p.output_offsets;
    for (int64_t y = 0; y < p.out_rows; ++y) {
        int64_t x = 0;
        for (; x + cells <= p.out_columns; x += cells, offsets += cells) {
            forward_cells<Spread, cells>(p, p.input + first_pixel(p, y, x), offsets);
        }
        for (; x < p.out_columns; ++x, ++offsets) {
            forward_cells<Spread, 1>(p, p.input + first_pixel(p, y, x), offsets);
        }
    }
}

// The gradients of `Taps` weights, from the tap `first` on.
template <bool Spread, int64_t Taps>
void tap_gradients(const DepthwiseImage& p, int64_t first, int64_t o) {
    int64_t taps[Taps];
    for (int64_t t = 0; t < Taps; ++t) {
        taps[t] = (first + t) / p.size[1] * p.kernel_row + (first + t) % p.size[1] * p.kernel_column;
    }
    const float* gradient = p.gradient + o;
    Vector sums[Taps]{};
    for (int64_t y = 0; y < p.out_rows; ++y) {
        for (int64_t x = 0; x < p.out_columns; ++x, gradient += p.outputs) {
            const float* pixel = p.input + first_pixel(p, y, x);
            const Vector share = load(gradient);
            for (int64_t t = 0; t < Taps; ++t) sums[t] += channels_of<Spread>(p, pixel + taps[t], o) * share;
        }
    }
    float* weights = p.kernel_gradient + weights_of(p, o) + first * panel;
    for (int64_t t = 0; t < Taps; ++t, weights += panel) {
        store_first(weights, load(weights) + sums[t], p.outputs - o);
    }
}

template <bool Spread>
void kernel_gradient(const DepthwiseImage& p) {
    const int64_t taps = p.size[0] * p.size[1];
    for (int64_t o = 0; o < p.outputs; o += width) {
        int64_t tap = 0;
        for (; tap + 9 <= taps; tap += 9) tap_gradients<Spread, 9>(p, tap, o);
        for (; tap + 4 <= taps; tap += 4) tap_gradients<Spread, 4>(p, tap, o);
        for (; tap < taps; ++tap) tap_gradients<Spread, 1>(p, tap, o);
        Vector sum{};  // for the bias: the gradients of all cells
        for (int64_t cell = 0; cell < p.out_rows * p.out_columns; ++cell) sum += load(p.gradient + cell * p.outputs + o);
        float* bias = p.kernel_gradient + weights_of(p, o) + taps * panel;
        store_first(bias, load(bias) + sum, p.outputs - o);
    }
}

template <bool Spread>
void input_gradient(const DepthwiseImage& p) {
    const float* gradient = p.gradient;
    for (int64_t y = 0; y < p.out_rows; ++y) {
        for (int64_t x = 0; x < p.out_columns; ++x, gradient += p.outputs) {
            float* first = p.input_gradient + first_pixel(p, y, x);
            for (int64_t o = 0; o < p.outputs; o += width) {
                const float* weights = p.weights + weights_of(p, o);
                const Vector share = load(gradient + o);
                for (int64_t r = 0; r < p.size[0]; ++r) {
                    float* pixel = first + r * p.kernel_row;
                    for (int64_t s = 0; s < p.size[1]; ++s, pixel += p.kernel_column, weights += panel) {
                        const Vector product = share * load(weights);
                        if constexpr (Spread) {
                            for (int64_t lane = 0; lane < width && o + lane < p.outputs; ++lane) {
                                pixel[p.sources[o + lane]] += product[lane];
                            }
                        } else {
                            add_first(pixel + o, product, p.outputs - o);
                        }
                    }
                }
            }
        }
    }
}

// The same for square kernels whose windows move by a pixel: each pixel is written once, with its sum in the same order.
template <int64_t Size>
void input_gradient_by_pixels(const DepthwiseImage& p) {
    const int64_t rows = p.out_rows, columns = p.out_columns, outputs = p.outputs, channels = p.channels;
    for (int64_t y = 0; y < rows + Size - 1; ++y) {
        for (int64_t o = 0; o < outputs; o += width) {
            const float *weights = p.weights + weights_of(p, o), *gradient = p.gradient + o;
            float* pixel = p.input_gradient + y * p.kernel_row + o;
            const auto write_pixel = [&](int64_t x, auto whole) CONVSCOPE_INLINE_LAMBDA {  // whole: all windows exist
                Vector sum{};
                CONVSCOPE_UNROLL_SQUARE
                for (int64_t r = Size - 1; r >= 0; --r) {
                    if (!whole && (y < r || y - r >= rows)) continue;
                    CONVSCOPE_UNROLL
                    for (int64_t s = Size - 1; s >= 0; --s) {
                        if (!whole && (x < s || x - s >= columns)) continue;
                        sum += load(gradient + ((y - r) * columns + x - s) * outputs) * load(weights + (r * Size + s) * panel);
                    }
                }
                store_first(pixel + x * channels, sum, outputs - o);
            };
            const bool inside = y >= Size - 1 && y < rows;
            int64_t x = 0;
            for (; x < Size - 1; ++x) write_pixel(x, false_type());
            for (; inside && x < columns; ++x) write_pixel(x, true_type());
            for (; x < columns + Size - 1; ++x) write_pixel(x, false_type());
        }
    }
}

}  // namespace

void depthwise(const DepthwiseImage& p) { p.sources ? forward<true>(p) : forward<false>(p); }
void depthwise_kernel(const DepthwiseImage& p) { p.sources ? kernel_gradient<true>(p) : kernel_gradient<false>(p); }
void depthwise_input(const DepthwiseImage& p) {
    const bool by_one = p.stride[0] == 1 && p.stride[1] == 1 && p.kernel_row == p.input_row && p.kernel_column == p.channels;
    if (by_one && !p.sources && p.size[0] == p.size[1]) {
        if (p.size[0] == 3) return input_gradient_by_pixels<3>(p);
        if (p.size[0] == 5) return input_gradient_by_pixels<5>(p);
    }
    p.sources ? input_gradient<true>(p) : input_gradient<false>(p);
}

}  // namespace convscope::CONVSCOPE_ISA
