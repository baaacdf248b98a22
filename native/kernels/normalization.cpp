// The passes of batch normalisation over maps, by channel: sums over the pixels, scaling and shifting.
//
// A map is (pixels, channels), without padding. A channel's sum over the pixels of a map is added up in their order, for
// several vectors of channels and several images at a time, so that several additions are in flight.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {

constexpr int vectors_at_once = 4;  // of channels
constexpr int sums_at_once = 8;     // additions in flight: two start each cycle, and each takes four

// sums[s][c] += sum over pixels of term s, for S sums, I images from `image` on and V vectors of channels from `channel`
// on. term(image, index of (pixel, c), c, its S values).
template <int S, int I, int V, class Term>
CONVSCOPE_INLINE void add_terms(const Maps& maps, int64_t image, int64_t channel, float* const (&sums)[S], const Term& term) {
    Vector totals[I][V][S] = {};
    for (int64_t pixel = 0; pixel < maps.pixels; ++pixel) {
        CONVSCOPE_UNROLL
        for (int i = 0; i < I; ++i) {
            CONVSCOPE_UNROLL
            for (int v = 0; v < V; ++v) {
                Vector values[S];
                term(image + i, pixel * maps.channels + channel + v * width, channel + v * width, values);
                CONVSCOPE_UNROLL
                for (int s = 0; s < S; ++s) totals[i][v][s] += values[s];
            }
        }
    }
    CONVSCOPE_UNROLL
    for (int v = 0; v < V; ++v) {
        CONVSCOPE_UNROLL
        for (int s = 0; s < S; ++s) {
            float* to = sums[s] + channel + v * width;
            Vector sum = load(to);
            CONVSCOPE_UNROLL
            for (int i = 0; i < I; ++i) sum += totals[i][v][s];
            store_first(to, sum, maps.channels - channel - v * width);
        }
    }
}

template <int S, int V, class Term>
CONVSCOPE_INLINE void sum_over_images(const Maps& maps, int64_t channel, float* const (&sums)[S], const Term& term) {
    constexpr int I = sums_at_once / (S * V);
    int64_t image = 0;
    if constexpr (I > 1) {
        for (; image + I <= maps.images; image += I) add_terms<S, I, V>(maps, image, channel, sums, term);
    }
    for (; image < maps.images; ++image) add_terms<S, 1, V>(maps, image, channel, sums, term);
}

template <int S, class Term>
CONVSCOPE_INLINE void sum_over_pixels(const Maps& maps, float* const (&sums)[S], const Term& term) {
    int64_t channel = 0;
    for (; channel + (vectors_at_once - 1) * width < maps.channels; channel += vectors_at_once * width) {
        sum_over_images<S, vectors_at_once>(maps, channel, sums, term);
    }
    for (; channel < maps.channels; channel += width) sum_over_images<S, 1>(maps, channel, sums, term);
}

// to[i] = value(i, i % period) for `count` numbers
template <class Value>
CONVSCOPE_INLINE void for_numbers(int64_t count, int64_t period, float* to, const Value& value) {
    for (int64_t first = 0; first < count; first += period) {
        const int64_t end = count - first < period ? count - first : period;
        for (int64_t c = 0; c < end; c += width) store_first(to + first + c, value(first + c, c), end - c);
    }
}

void channel_sums(const float* x, const Maps& maps, float* sums) {
    float* const all[] = {sums};
    const int64_t step = maps.x_step;
    sum_over_pixels(maps, all, [=](int64_t image, int64_t at, int64_t, Vector(&values)[1])
                                   CONVSCOPE_INLINE_LAMBDA { values[0] = load(x + image * step + at); });
}

void channel_squares(const float* x, const Maps& maps, const float* means, float* sums) {
    float* const all[] = {sums};
    const int64_t step = maps.x_step;
    sum_over_pixels(maps, all, [=](int64_t image, int64_t at, int64_t c, Vector(&values)[1]) CONVSCOPE_INLINE_LAMBDA {
        const Vector distance = load(x + image * step + at) - load(means + c);
        values[0] = distance * distance;
    });
}

void channel_products(const float* x, const float* dy, const Maps& maps, const float* means, float* products, float* sums) {
    float* const all[] = {products, sums};
    const int64_t x_step = maps.x_step, dy_step = maps.dy_step;
    sum_over_pixels(maps, all, [=](int64_t image, int64_t at, int64_t c, Vector(&values)[2]) CONVSCOPE_INLINE_LAMBDA {
        const Vector gradient = load(dy + image * dy_step + at);
        values[0] = gradient * (load(x + image * x_step + at) - load(means + c));
        values[1] = gradient;
    });
}

void scale_channels(const float* x, int64_t count, int64_t period, const float* scale, const float* shift, bool relu,
                    float* y) {
    const Vector zero{};
    if (relu) {
        for_numbers(count, period, y, [=](int64_t at, int64_t c) {
            const Vector value = load(x + at) * load(scale + c) + load(shift + c);
            return value > zero ? value : zero;
        });
    } else {
        for_numbers(count, period, y,
                    [=](int64_t at, int64_t c) { return load(x + at) * load(scale + c) + load(shift + c); });
    }
}

void combine_channels(const float* x, const float* dy, int64_t count, int64_t period, const ChannelFactors& factors,
                      float* dx) {
    const float *by_gradient = factors.by_gradient, *by_value = factors.by_value, *constant = factors.constant;
    for_numbers(count, period, dx, [=](int64_t at, int64_t c) {
        return load(dy + at) * load(by_gradient + c) + (load(x + at) * load(by_value + c) + load(constant + c));
    });
}

}  // namespace convscope::CONVSCOPE_ISA
