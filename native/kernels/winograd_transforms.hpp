// The six linear maps of Winograd's minimal filtering in one dimension, F(M, R): M outputs of a kernel of R numbers take
// N = M + R - 1 multiplications, one for each of the points 0, p and -p for each p of Points<N>, and infinity, in this order:
//
//     y = A^T [(G g) . (B^T d)]      d: N pixels, g: the kernel, y: M outputs, .: number by number
//
// The backward pass needs the transposes: dd = B [(G g) . (A dy)] and dg = G^T [(B^T d) . (A dy)]. In two dimensions each map
// is applied along the columns and then along the rows.
//
// With P(x) = x (x^2 - p^2) (x^2 - q^2) ..., row i of B^T holds the coefficients of P(x) / (x - point i), and the last row,
// for infinity, those of P. Row i of A holds the powers of point i, and row i of G the same divided by P' at the point. The
// points p and -p share the even and the odd powers. The first and the last row of B^T, the first of G and the last of A may
// be negated (`sign`). For F(2, 3), with the points 0, 1, -1 and infinity, P is x^3 - x and
//
//           1  0 -1  0            1    0    0           1  0
//     B^T = 0  1  1  0        G = 1/2  1/2  1/2     A = 1  1        as in Lavin and Gray up to signs
//           0 -1  1  0            1/2 -1/2  1/2         1 -1
//           0  1  0 -1            0    0    1           0 -1
//
// Sources: Winograd, 1980, "Arithmetic Complexity of Computations"; Lavin and Gray, 2016, "Fast Algorithms for
// Convolutional Neural Networks".
#pragma once

#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {

// The multiples of 1/8 up to 2 with the smallest float32 errors: for N = 6, 1.0e-6 of the largest number instead of 5e-6
// with the points 1 and 2; for N = 8, 8e-6 (dev/LOG.md). Points near 1 have small powers, and numbers with few digits are
// exact. See Barabasz and others, 2020, "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep
// Neural Networks".
template <int N>
struct Points;
template <>
struct Points<4> { static constexpr double values[] = {1}; };
template <>
struct Points<6> { static constexpr double values[] = {0.75, 1.5}; };
template <>
struct Points<8> { static constexpr double values[] = {0.5, 1, 2}; };

// values[j] is the coefficient of x^(2j).
template <int N>
struct EvenPolynomial { double values[N / 2] = {1}; };

// Returns the product of x^2 - p^2 over the points p of N, all but number `skipped` (-1: all).
template <int N>
constexpr EvenPolynomial<N> multiply_factors(int skipped) {
    EvenPolynomial<N> product;
    auto& c = product.values;
    for (int k = 0, degree = 0; k < N / 2 - 1; ++k) {
        if (k == skipped) continue;
        const double p = Points<N>::values[k];
        ++degree;
        for (int j = degree; j > 0; --j) c[j] = c[j - 1] - p * p * c[j];  // times x^2 - p^2
        c[0] *= -p * p;
    }
    return product;
}

template <int N, int R>
struct Transform {
    static constexpr int points = N, kernel = R, outputs = N - R + 1;
    static constexpr int pairs = (N - 2) / 2;

    struct Coefficients {
        float whole[pairs + 1] = {};       // coefficients of sign P(x) / x, a polynomial in x^2; the first is positive
        float without[pairs][pairs] = {};  // those of P(x) / x without the factor x^2 - p^2 of pair k
        float power[pairs][N] = {};        // p^0, p^1, ... of pair k's point p
        float scale[pairs] = {};           // 1 / P' at pair k's point
        float scale_of_zero = 0, sign = 0;  // sign / P'(0), and 1 or -1
    };
    static constexpr Coefficients coefficients = [] {
        Coefficients c;
        const double(&p)[pairs] = Points<N>::values;
        const double sign = pairs % 2 == 0 ? 1 : -1;
        const EvenPolynomial<N> all = multiply_factors<N>(-1);
        c.sign = static_cast<float>(sign);
        c.scale_of_zero = static_cast<float>(sign / all.values[0]);
        for (int j = 0; j <= pairs; ++j) c.whole[j] = static_cast<float>(sign * all.values[j]);
        for (int k = 0; k < pairs; ++k) {
            const EvenPolynomial<N> others = multiply_factors<N>(k);
            for (int j = 0; j < pairs; ++j) c.without[k][j] = static_cast<float>(others.values[j]);
            double power = 1;
            for (int i = 0; i < N; ++i, power *= p[k]) c.power[k][i] = static_cast<float>(power);
            double derivative = 2 * p[k] * p[k];  // P'(p) = 2 p^2 times the product of p^2 - q^2 over the other pairs q
            for (int q = 0; q < pairs; ++q) {
                if (q != k) derivative *= p[k] * p[k] - p[q] * p[q];
            }
            c.scale[k] = static_cast<float>(1 / derivative);
        }
        return c;
    }();

    // to = B^T d. The first row is P(x) / x and the last P(x): the same coefficients for d[0], d[2], ... and for d[1],
    // d[3], ... With the polynomial Q(x^2) in `without`, the rows of a pair are P(x) / (x -+ p) = Q(x^2) (x^2 +- p x):
    // Q's coefficients for d[2], d[4], ... (even), plus or minus p times the same for d[1], d[3], ... (odd).
    CONVSCOPE_INLINE void input(const Vector (&d)[N], Vector (&to)[N]) {
        to[0] = d[0] * coefficients.whole[0];
        to[N - 1] = d[1] * coefficients.whole[0];
        CONVSCOPE_UNROLL
        for (int j = 1; j <= pairs; ++j) {
            to[0] += d[2 * j] * coefficients.whole[j];
            to[N - 1] += d[2 * j + 1] * coefficients.whole[j];
        }
        CONVSCOPE_UNROLL
        for (int k = 0; k < pairs; ++k) {
            Vector even = d[2] * coefficients.without[k][0], odd = d[1] * coefficients.without[k][0];
            CONVSCOPE_UNROLL
            for (int j = 1; j < pairs; ++j) {
                even += d[2 * j + 2] * coefficients.without[k][j];
                odd += d[2 * j + 1] * coefficients.without[k][j];
            }
            to[1 + 2 * k] = even + odd * coefficients.power[k][1];
            to[2 + 2 * k] = even - odd * coefficients.power[k][1];
        }
    }

    // to = B d
    CONVSCOPE_INLINE void input_backward(const Vector (&d)[N], Vector (&to)[N]) {
        CONVSCOPE_UNROLL
        for (int j = 0; j <= pairs; ++j) {
            to[2 * j] = d[0] * coefficients.whole[j];
            to[2 * j + 1] = d[N - 1] * coefficients.whole[j];
        }
        CONVSCOPE_UNROLL
        for (int k = 0; k < pairs; ++k) {
            const Vector even = d[1 + 2 * k] + d[2 + 2 * k];
            const Vector odd = (d[1 + 2 * k] - d[2 + 2 * k]) * coefficients.power[k][1];
            CONVSCOPE_UNROLL
            for (int j = 0; j < pairs; ++j) {
                to[2 * j + 2] += even * coefficients.without[k][j];
                to[2 * j + 1] += odd * coefficients.without[k][j];
            }
        }
    }

    // to = A y, and for the kernel (Scaled) G y: the powers of the points, up to the factors of G.
    template <int Count, bool Scaled>
    CONVSCOPE_INLINE void evaluate(const Vector (&y)[Count], Vector (&to)[N]) {
        to[0] = Scaled ? y[0] * coefficients.scale_of_zero : y[0];
        to[N - 1] = Scaled ? y[Count - 1] : y[Count - 1] * coefficients.sign;
        CONVSCOPE_UNROLL
        for (int k = 0; k < pairs; ++k) {
            Vector even = y[0], odd = y[1] * coefficients.power[k][1];
            CONVSCOPE_UNROLL
            for (int i = 2; i < Count; ++i) (i % 2 == 0 ? even : odd) += y[i] * coefficients.power[k][i];
            const Vector plus = even + odd, minus = even - odd;
            to[1 + 2 * k] = Scaled ? plus * coefficients.scale[k] : plus;
            to[2 + 2 * k] = Scaled ? minus * coefficients.scale[k] : minus;
        }
    }

    // to = A^T m, or (Scaled) G^T m
    template <int Count, bool Scaled>
    CONVSCOPE_INLINE void evaluate_backward(const Vector (&m)[N], Vector (&to)[Count]) {
        to[0] = Scaled ? m[0] * coefficients.scale_of_zero : m[0];
        CONVSCOPE_UNROLL
        for (int k = 0; k < pairs; ++k) {
            Vector even = m[1 + 2 * k] + m[2 + 2 * k], odd = m[1 + 2 * k] - m[2 + 2 * k];
            if (Scaled) {
                even *= coefficients.scale[k];
                odd *= coefficients.scale[k];
            }
            to[0] += even;
            CONVSCOPE_UNROLL
            for (int i = 1; i < Count; ++i) {
                const Vector term = (i % 2 == 0 ? even : odd) * coefficients.power[k][i];
                to[i] = k == 0 ? term : to[i] + term;
            }
        }
        to[Count - 1] += Scaled ? m[N - 1] : m[N - 1] * coefficients.sign;
    }

    CONVSCOPE_INLINE void output(const Vector (&m)[N], Vector (&to)[outputs]) {
        evaluate_backward<outputs, false>(m, to);
    }
    CONVSCOPE_INLINE void output_backward(const Vector (&y)[outputs], Vector (&to)[N]) {
        evaluate<outputs, false>(y, to);
    }
    CONVSCOPE_INLINE void weights(const Vector (&g)[R], Vector (&to)[N]) { evaluate<R, true>(g, to); }
    CONVSCOPE_INLINE void weights_backward(const Vector (&m)[N], Vector (&to)[R]) { evaluate_backward<R, true>(m, to); }
};

// Applies `map` to the columns and then to the rows of a square: From x From numbers, from `load(row, column)`, become
// To x To numbers, to `store(row, column, value)`.
template <int From, int To, class Map, class Load, class Store>
CONVSCOPE_INLINE void transform_square(Map map, Load load, Store store) {
    Vector rows[To][From];
    CONVSCOPE_UNROLL_SQUARE
    for (int x = 0; x < From; ++x) {
        Vector column[From], mapped[To];
        CONVSCOPE_UNROLL
        for (int y = 0; y < From; ++y) column[y] = load(y, x);
        map(column, mapped);
        CONVSCOPE_UNROLL
        for (int y = 0; y < To; ++y) rows[y][x] = mapped[y];
    }
    CONVSCOPE_UNROLL_SQUARE
    for (int y = 0; y < To; ++y) {
        Vector mapped[To];
        map(rows[y], mapped);
        CONVSCOPE_UNROLL
        for (int x = 0; x < To; ++x) store(y, x, mapped[x]);
    }
}

}  // namespace convscope::CONVSCOPE_ISA
