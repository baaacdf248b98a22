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

template <bool Spread>
void forward(const DepthwiseImage& p) {
    const int64_t kernel_size = p.size[0] * p.size[1];
    int64_t cell = 0;
    for (int64_t y = 0; y < p.out_rows; ++y) {
        for (int64_t x = 0; x < p.out_columns; ++x, ++cell) {
            const float* first = p.input + first_pixel(p, y, x);
            for (int64_t o = 0; o < p.outputs; o += width) {
                const float* weights = p.weights + weights_of(p, o);
                Vector sum = load(weights + kernel_size * panel);
                for (int64_t r = 0; r < p.size[0]; ++r) {
                    const float* pixel = first + r * p.kernel_row;
                    for (int64_t s = 0; s < p.size[1]; ++s, pixel += p.kernel_column, weights += panel) {
                        sum += channels_of<Spread>(p, pixel, o) * load(weights);
                    }
                }
                if (p.relu) sum = sum > Vector{} ? sum : Vector{};
                store_first(p.output + p.output_offsets[cell] + o, sum, p.outputs - o);
            }
        }
    }
}

template <bool Spread>
void kernel_gradient(const DepthwiseImage& p) {
    for (int64_t o = 0; o < p.outputs; o += width) {
        float* weights = p.kernel_gradient + weights_of(p, o);
        const auto add_to = [&](Vector sum) {
            store_first(weights, load(weights) + sum, p.outputs - o);
            weights += panel;
        };
        for (int64_t r = 0; r < p.size[0]; ++r) {
            for (int64_t s = 0; s < p.size[1]; ++s) {
                const float* gradient = p.gradient + o;
                Vector sum{};
                for (int64_t y = 0; y < p.out_rows; ++y) {
                    for (int64_t x = 0; x < p.out_columns; ++x, gradient += p.outputs) {
                        const float* pixel = p.input + first_pixel(p, y, x) + r * p.kernel_row + s * p.kernel_column;
                        sum += channels_of<Spread>(p, pixel, o) * load(gradient);
                    }
                }
                add_to(sum);
            }
        }
        Vector sum{};  // for the bias: the gradients of all cells
        for (int64_t cell = 0; cell < p.out_rows * p.out_columns; ++cell) sum += load(p.gradient + cell * p.outputs + o);
        add_to(sum);
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
                            store_first(pixel + o, load(pixel + o) + product, p.outputs - o);
                        }
                    }
                }
            }
        }
    }
}

}  // namespace

void depthwise(const DepthwiseImage& p) { p.sources ? forward<true>(p) : forward<false>(p); }
void depthwise_kernel(const DepthwiseImage& p) { p.sources ? kernel_gradient<true>(p) : kernel_gradient<false>(p); }
void depthwise_input(const DepthwiseImage& p) { p.sources ? input_gradient<true>(p) : input_gradient<false>(p); }

}  // namespace convscope::CONVSCOPE_ISA
