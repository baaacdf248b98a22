// The passes of batch normalisation over a map, by channel: sums over the pixels, scaling and shifting.
//
// A map is (pixels, channels), without padding. Sums run over the pixels in order, for a few vectors of channels at a time,
// so that several additions are in flight.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {

constexpr int vectors_at_once = 4;  // vectors of channels whose sums are in flight

// sums[c] += sum over pixels of term(index of (pixel, c), c), for V vectors of channels from `channel` on.
template <int V, class Term>
CONVSCOPE_INLINE void add_terms(int64_t pixels, int64_t channels, int64_t channel, float* sums, const Term& term) {
    Vector totals[V] = {};
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        CONVSCOPE_UNROLL
        for (int v = 0; v < V; ++v) totals[v] += term(pixel * channels + channel + v * width, channel + v * width);
    }
    CONVSCOPE_UNROLL
    for (int v = 0; v < V; ++v) {
        float* to = sums + channel + v * width;
        store_first(to, load(to) + totals[v], channels - channel - v * width);
    }
}

template <class Term>
CONVSCOPE_INLINE void sum_over_pixels(int64_t pixels, int64_t channels, float* sums, const Term& term) {
    int64_t channel = 0;
    for (; channel + (vectors_at_once - 1) * width < channels; channel += vectors_at_once * width) {
        add_terms<vectors_at_once>(pixels, channels, channel, sums, term);
    }
    for (; channel < channels; channel += width) add_terms<1>(pixels, channels, channel, sums, term);
}

// to[pixel, c] = value(pixel, c) for every pixel and channel.
template <class Value>
CONVSCOPE_INLINE void for_pixels(int64_t pixels, int64_t channels, float* to, const Value& value) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        for (int64_t c = 0; c < channels; c += width) {
            const int64_t at = pixel * channels + c;
            store_first(to + at, value(at, c), channels - c);
        }
    }
}

void channel_sums(const float* x, int64_t pixels, int64_t channels, float* sums) {
    sum_over_pixels(pixels, channels, sums, [=](int64_t at, int64_t) { return load(x + at); });
}

void channel_squares(const float* x, int64_t pixels, int64_t channels, const float* means, float* sums) {
    sum_over_pixels(pixels, channels, sums, [=](int64_t at, int64_t c) {
        const Vector distance = load(x + at) - load(means + c);
        return distance * distance;
    });
}

void channel_products(const float* x, const float* dy, int64_t pixels, int64_t channels, const float* means,
                      float* sums) {
    sum_over_pixels(pixels, channels, sums,
                    [=](int64_t at, int64_t c) { return load(dy + at) * (load(x + at) - load(means + c)); });
}

void scale_channels(const float* x, int64_t pixels, int64_t channels, const float* scale, const float* shift, bool relu,
                    float* y) {
    const Vector zero{};
    if (relu) {
        for_pixels(pixels, channels, y, [=](int64_t at, int64_t c) {
            const Vector value = load(x + at) * load(scale + c) + load(shift + c);
            return value > zero ? value : zero;
        });
    } else {
        for_pixels(pixels, channels, y,
                   [=](int64_t at, int64_t c) { return load(x + at) * load(scale + c) + load(shift + c); });
    }
}

void combine_channels(const float* x, const float* dy, int64_t pixels, int64_t channels, const ChannelFactors& factors,
                      float* dx) {
    const float *by_gradient = factors.by_gradient, *by_value = factors.by_value, *constant = factors.constant;
    for_pixels(pixels, channels, dx, [=](int64_t at, int64_t c) {
        return load(dy + at) * load(by_gradient + c) + (load(x + at) * load(by_value + c) + load(constant + c));
    });
}

}  // namespace convscope::CONVSCOPE_ISA
