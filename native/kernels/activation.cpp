// Elementwise activations other than the relu of a product: y = f(x), and dx = dy f'(x).
//
// Those that need an exponential share one, so a vector takes a few dozen instructions. Errors are a few units in the last place.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

// c[0] + c[1] x + c[2] x^2 + ...
template <int N>
CONVSCOPE_INLINE Vector polynomial(Vector x, const float (&c)[N]) {
    Vector sum = broadcast(c[N - 1]);
    CONVSCOPE_UNROLL
    for (int i = N - 2; i >= 0; --i) sum = sum * x + c[i];
    return sum;
}

CONVSCOPE_INLINE Vector clamp(Vector x, float low, float high) {
    x = x < broadcast(low) ? broadcast(low) : x;
    return x > broadcast(high) ? broadcast(high) : x;
}

// e^x = scale (1 + rest), where scale is a power of two.
struct Exponential { Vector scale, rest; };

// e^x = 2^k e^r, where k is the integer nearest to x / ln 2 and r = x - k ln 2, so |r| <= ln 2 / 2. For x = 3, k is 4, r is
// 0.227, and 16 e^r = 20.1. e^r = 1 + r + r^2 tail, whose polynomial is Cephes's (Moshier).
CONVSCOPE_INLINE Exponential exponential_parts(Vector x) {
    x = clamp(x, -87.0f, 88.0f);  // where floats are normal; NaN stays NaN
    const Vector rounder = broadcast(12582912.0f);  // 1.5 x 2^23: adding it leaves the rounded integer in the low bits
    const Vector rounded = x * 1.44269504f + rounder;
    const Mask power = (Mask)rounded - (Mask)rounder;
    const Vector k = rounded - rounder;
    const Vector r = x - k * 0.693359375f + k * 2.12194440e-4f;  // ln 2 in two parts: k times the first is exact
    const Vector tail = polynomial(r, {5.0000001201e-1f, 1.6666665459e-1f, 4.1665795894e-2f, 8.3334519073e-3f,
                                       1.3981999507e-3f, 1.9875691500e-4f});
    const Vector scale = (Vector)((power + 127) << 23);  // a float's exponent starts at bit 23, and 127 stands for 2^0
    return {scale, tail * r * r + r};
}

CONVSCOPE_INLINE Vector exponential(Vector x) {
    const Exponential parts = exponential_parts(x);
    return (parts.rest + 1.0f) * parts.scale;
}

// e^x - 1, exact near zero too.
CONVSCOPE_INLINE Vector exponential_less_one(Vector x) {
    const Exponential parts = exponential_parts(x);
    return parts.rest * parts.scale + (parts.scale - 1.0f);
}

CONVSCOPE_INLINE Vector sigmoid(Vector x) { return 1.0f / (1.0f + exponential(-x)); }

// x sigmoid(x). For very negative x the clamped exponential times x would not vanish.
CONVSCOPE_INLINE Vector silu(Vector x) { return x < broadcast(-88.0f) ? Vector{} : x / (1.0f + exponential(-x)); }
// s + x s (1 - s), where s is sigmoid(x) and 1 - s = s e^-x.
CONVSCOPE_INLINE Vector silu_derivative(Vector x) {
    x = clamp(x, -87.0f, 87.0f);
    const Vector e = exponential(-x), s = 1.0f / (1.0f + e);
    return s + s * s * e * x;
}

CONVSCOPE_INLINE Vector hard_sigmoid(Vector x) { return clamp(x + 3.0f, 0, 6) * (1 / 6.0f); }

// λ and λ α of Klambauer and others 2017.
constexpr float selu_scale = 1.05070098736f, selu_bend = 1.75809934085f;

// Near zero, where 1 - 2 / (e^2x + 1) would cancel, Cephes's polynomial.
CONVSCOPE_INLINE Vector hyperbolic_tangent(Vector x) {
    const Vector zero{}, squared = x * x, size = x < zero ? -x : x;
    const Vector small = x + x * squared * polynomial(squared, {-3.33332819422e-1f, 1.33314422036e-1f,
                                                                -5.37397155531e-2f, 2.06390887954e-2f,
                                                                -5.70498872745e-3f});
    const Vector large = 1.0f - 2.0f / (exponential(size + size) + 1.0f);
    return size < broadcast(0.625f) ? small : x < zero ? -large : large;
}

// The share of a standard normal distribution below x and its density there. The tail beyond |x| is e^(-x^2 / 2) times a
// function (Mills' ratio) that is smooth in u = 1 / (1 + 0.35 |x|); its polynomial was fitted for the least relative error
// up to |x| = 14, which is 4e-8.
CONVSCOPE_INLINE void normal(Vector x, Vector& below, Vector& density) {
    const Vector zero{}, size = x < zero ? -x : x;
    // Further out the density is below the least normal float; the clamped exponential times a huge x would not vanish.
    const Vector bell = size < broadcast(13.0f) ? exponential(-0.5f * x * x) : zero;
    const Vector u = 1.0f / (1.0f + 0.35f * size);
    const Vector tail = bell * u * polynomial(u, {0.1396196249f, 0.1398955569f, 0.1195701515f, 0.1066140001f,
                                                  -0.0258708352f, 0.1633791953f, -0.2595476476f, 0.1458925069f,
                                                  -0.0295525694f});
    below = x < zero ? tail : 1.0f - tail;
    density = bell * 0.3989422804f;
}

// A loop for each activation, so that no loop tests which one it is.
template <class Function>
CONVSCOPE_INLINE void apply(const float* x, int64_t count, float* y, Function function) {
    for (int64_t i = 0; i < count; i += width) store_first(y + i, function(load(x + i)), count - i);
}

template <class Derivative>
CONVSCOPE_INLINE void apply_backward(const float* x, const float* dy, int64_t count, float* dx, Derivative derivative) {
    for (int64_t i = 0; i < count; i += width) {
        store_first(dx + i, load(dy + i) * derivative(load(x + i)), count - i);
    }
}

}  // namespace

void activate(Activation activation, float slope, const float* x, int64_t count, float* y) {
    switch (activation) {
        case Activation::none:
            memcpy(y, x, static_cast<size_t>(count) * sizeof(float));
            return;
        case Activation::leaky_relu:
            return apply(x, count, y, [slope](Vector x) { return x > Vector{} ? x : x * slope; });
        case Activation::gelu:
            return apply(x, count, y, [](Vector x) {
                Vector below, density;
                normal(x, below, density);
                return x * below;
            });
        case Activation::tanh: return apply(x, count, y, [](Vector x) { return hyperbolic_tangent(x); });
        case Activation::sigmoid: return apply(x, count, y, [](Vector x) { return sigmoid(x); });
        case Activation::relu: return apply(x, count, y, [](Vector x) { return x < Vector{} ? Vector{} : x; });
        case Activation::relu6: return apply(x, count, y, [](Vector x) { return clamp(x, 0, 6); });
        case Activation::elu:
            return apply(x, count, y, [](Vector x) { return x > Vector{} ? x : exponential_less_one(x); });
        case Activation::selu:
            return apply(x, count, y, [](Vector x) {
                return x > Vector{} ? x * selu_scale : exponential_less_one(x) * selu_bend;
            });
        case Activation::silu: return apply(x, count, y, [](Vector x) { return silu(x); });
        case Activation::hard_silu: return apply(x, count, y, [](Vector x) { return x * hard_sigmoid(x); });
        case Activation::hard_sigmoid: return apply(x, count, y, [](Vector x) { return hard_sigmoid(x); });
    }
}

void activate_backward(Activation activation, float slope, const float* x, const float* dy, int64_t count, float* dx) {
    switch (activation) {
        case Activation::none:
            memcpy(dx, dy, static_cast<size_t>(count) * sizeof(float));
            return;
        case Activation::leaky_relu:
            return apply_backward(x, dy, count, dx,
                                  [slope](Vector x) { return x > Vector{} ? broadcast(1) : broadcast(slope); });
        case Activation::gelu:
            return apply_backward(x, dy, count, dx, [](Vector x) {
                Vector below, density;
                normal(x, below, density);
                return below + x * density;
            });
        case Activation::tanh:
            return apply_backward(x, dy, count, dx, [](Vector x) {
                const Vector y = hyperbolic_tangent(x);
                return 1.0f - y * y;
            });
        case Activation::sigmoid:
            return apply_backward(x, dy, count, dx, [](Vector x) {
                const Vector y = sigmoid(x);
                return y * (1.0f - y);
            });
        case Activation::relu:
            return apply_backward(x, dy, count, dx, [](Vector x) { return x > Vector{} ? broadcast(1) : Vector{}; });
        case Activation::relu6:
            return apply_backward(x, dy, count, dx, [](Vector x) {
                const Vector zero{};
                return x > zero ? (x < broadcast(6) ? broadcast(1) : zero) : zero;
            });
        case Activation::elu:
            return apply_backward(x, dy, count, dx,
                                  [](Vector x) { return x > Vector{} ? broadcast(1) : exponential(x); });
        case Activation::selu:
            return apply_backward(x, dy, count, dx, [](Vector x) {
                return x > Vector{} ? broadcast(selu_scale) : exponential(x) * selu_bend;
            });
        case Activation::silu: return apply_backward(x, dy, count, dx, [](Vector x) { return silu_derivative(x); });
        case Activation::hard_silu:
            return apply_backward(x, dy, count, dx, [](Vector x) {
                const Vector share = hard_sigmoid(x), sum = share + x * (1 / 6.0f);
                return x > broadcast(-3) ? (x < broadcast(3) ? sum : share) : share;
            });
        case Activation::hard_sigmoid:
            return apply_backward(x, dy, count, dx, [](Vector x) {
                const Vector zero{};
                return x > broadcast(-3) ? (x < broadcast(3) ? broadcast(1 / 6.0f) : zero) : zero;
            });
    }
}

void prelu(const float* x, const float* slopes, int64_t count, float* y) {
    for (int64_t i = 0; i < count; i += width) {
        const Vector value = load(x + i);
        store_first(y + i, value > Vector{} ? value : value * load(slopes + i), count - i);
    }
}

// Adds the gradients of the slopes, of which there are `count`, to `sums`.
void prelu_backward(const float* x, const float* dy, const float* slopes, int64_t count, float* dx, float* sums) {
    const Vector zero{};
    for (int64_t i = 0; i < count; i += width) {
        const Vector value = load(x + i), gradient = load(dy + i);
        store_first(dx + i, value > zero ? gradient : gradient * load(slopes + i), count - i);
        store_first(sums + i, load(sums + i) + (value > zero ? zero : gradient * value), count - i);
    }
}

}  // namespace convscope::CONVSCOPE_ISA
