// Batch normalisation's kernels against their formulas in double.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <numeric>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

constexpr double rounding = 6e-8;  // 2^-24, the largest relative error of a rounded float

// Channels that fill no register, whole registers, and more than the kernels hold at once.
constexpr int64_t channel_counts[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 48, 63, 64, 65, 100, 130};
constexpr int64_t pixel_counts[] = {1, 2, 3, 50};
// One image, fewer than are summed at once, and as many and one more.
constexpr std::initializer_list<int64_t> some_images = {1, 3, 9};

// Returns `count` numbers around `center`, followed by NaN: a kernel may read there, but no result may depend on it.
Buffer<float> numbers(Random& random, int64_t count, float center = 0) {
    Buffer<float> numbers = plain_buffer<float>(count);
    std::fill(numbers.begin(), numbers.end(), std::numeric_limits<float>::quiet_NaN());
    for (int64_t i = 0; i < count; ++i) numbers[static_cast<std::size_t>(i)] = center + random.number();
    return numbers;
}

// Maps, the gradients with respect to the outputs, and a mean for each channel. The numbers are around 100, like maps
// whose mean is many times their spread. Between the maps of two images lie numbers that no result may depend on.
struct Map {
    Map(Random& random, int64_t images, int64_t pixels, int64_t channels)
        : images(images),
          pixels(pixels),
          channels(channels),
          x_step(pixels * channels + (images > 1 ? 5 : 0)),
          dy_step(pixels * channels + (images > 1 ? 3 : 0)),
          x(numbers(random, images * x_step, 100)),
          dy(numbers(random, images * dy_step)),
          means(numbers(random, channels, 100)) {}

    Maps maps() const { return {images, pixels, channels, x_step, dy_step}; }
    // `pixel` counts those of all images.
    double value(const Buffer<float>& map, int64_t pixel, int64_t c) const {
        const int64_t step = &map == &x ? x_step : dy_step;
        return static_cast<double>(map[static_cast<std::size_t>(pixel / pixels * step + pixel % pixels * channels + c)]);
    }
    double distance(int64_t pixel, int64_t c) const {
        return value(x, pixel, c) - static_cast<double>(means[static_cast<std::size_t>(c)]);
    }

    int64_t images, pixels, channels, x_step, dy_step;
    Buffer<float> x, dy, means;
};

// Calls check(random, map) with maps of all numbers of channels and pixels, and of as many images.
template <class Check>
void for_maps(uint64_t seed, std::initializer_list<int64_t> image_counts, Check check) {
    Random random(seed);
    for (int64_t images : image_counts) {
        for (int64_t channels : channel_counts) {
            for (int64_t pixels : pixel_counts) check(random, Map(random, images, pixels, channels));
        }
    }
}

// Calls add(sums) with sums that are not zero, and checks that it added term(pixel, channel) of every pixel.
template <class Add, class Term>
void check_sums(Random& random, const Map& map, Add add, Term term) {
    Buffer<float> sums = plain_buffer<float>(map.channels);
    std::fill(sums.begin(), sums.end(), untouched);
    for (int64_t c = 0; c < map.channels; ++c) sums[static_cast<std::size_t>(c)] = random.number();
    const Buffer<float> before = sums;
    add(sums.data());
    for (std::size_t c = 0; c < sums.size(); ++c) {
        if (static_cast<int64_t>(c) >= map.channels) {
            CHECK(sums[c] == untouched);
            continue;
        }
        double wanted = static_cast<double>(before[c]), sizes = std::fabs(wanted);
        for (int64_t pixel = 0; pixel < map.images * map.pixels; ++pixel) {
            const double more = term(pixel, static_cast<int64_t>(c));
            wanted += more;
            sizes += std::fabs(more);
        }
        // Each addition rounds what is summed so far; a term itself takes a few roundings.
        CHECK_NEAR(static_cast<double>(sums[c]), wanted, rounding * static_cast<double>(map.images * map.pixels + 3) * sizes);
    }
}

// Checks that each number of `got` equals wanted(pixel, channel, size), which also sets `size` to the size of the
// numbers whose rounding errors are allowed.
template <class Wanted>
void check_map(const Map& map, const Buffer<float>& got, Wanted wanted) {
    for (int64_t i = 0; i < static_cast<int64_t>(got.size()); ++i) {
        const float value = got[static_cast<std::size_t>(i)];
        if (i >= map.pixels * map.channels) {
            CHECK(value == untouched);
            continue;
        }
        double size = 0;
        const double want = wanted(i / map.channels, i % map.channels, size);
        CHECK_NEAR(static_cast<double>(value), want, 3 * rounding * size);
    }
}

Buffer<float> untouched_map(const Map& map) {
    Buffer<float> numbers = plain_buffer<float>(map.pixels * map.channels);
    std::fill(numbers.begin(), numbers.end(), untouched);
    return numbers;
}

}  // namespace

TEST(channels_are_summed_over_all_pixels) {
    for_maps(501, some_images, [&](Random& random, const Map& map) {
        check_sums(
            random, map, [&](float* sums) { kernels.channel_sums(map.x.data(), map.maps(), sums); },
            [&](int64_t pixel, int64_t c) { return map.value(map.x, pixel, c); });
    });
}

TEST(squared_distances_are_summed_channel_by_channel) {
    for_maps(502, some_images, [&](Random& random, const Map& map) {
        check_sums(
            random, map,
            [&](float* sums) {
                kernels.channel_squares(map.x.data(), map.maps(), map.means.data(), sums);
            },
            [&](int64_t pixel, int64_t c) { return map.distance(pixel, c) * map.distance(pixel, c); });
    });
}

TEST(products_with_distances_and_gradients_are_summed_channel_by_channel) {
    for_maps(503, some_images, [&](Random& random, const Map& map) {
        Buffer<float> unused = plain_buffer<float>(map.channels);
        check_sums(
            random, map,
            [&](float* products) {
                kernels.channel_products(map.x.data(), map.dy.data(), map.maps(), map.means.data(), products, unused.data());
            },
            [&](int64_t pixel, int64_t c) { return map.value(map.dy, pixel, c) * map.distance(pixel, c); });
        check_sums(
            random, map,
            [&](float* sums) {
                kernels.channel_products(map.x.data(), map.dy.data(), map.maps(), map.means.data(), unused.data(), sums);
            },
            [&](int64_t pixel, int64_t c) { return map.value(map.dy, pixel, c); });
    });
}

// Returns the factors as often as they fill whole registers.
Buffer<float> repeated(const Buffer<float>& factors, int64_t channels, int64_t period) {
    Buffer<float> repeated = plain_buffer<float>(period);
    for (int64_t i = 0; i < period; ++i) repeated[static_cast<std::size_t>(i)] = factors[static_cast<std::size_t>(i % channels)];
    return repeated;
}

TEST(channels_are_scaled_and_shifted_with_relu_or_without) {
    for_maps(504, {1}, [&](Random& random, const Map& map) {
        const Buffer<float> scale = numbers(random, map.channels), shift = numbers(random, map.channels);
        for (bool relu : {false, true}) {
            Buffer<float> y = untouched_map(map), again = untouched_map(map);
            const int64_t count = map.pixels * map.channels, period = std::lcm(map.channels, kernels.vector_width);
            kernels.scale_channels(map.dy.data(), count, map.channels, scale.data(), shift.data(), relu, y.data());
            kernels.scale_channels(map.dy.data(), count, period, repeated(scale, map.channels, period).data(),
                                   repeated(shift, map.channels, period).data(), relu, again.data());
            CHECK(y == again);
            check_map(map, y, [&](int64_t pixel, int64_t c, double& size) {
                const auto i = static_cast<std::size_t>(c);
                const double scaled = map.value(map.dy, pixel, c) * static_cast<double>(scale[i]);
                const double wanted = scaled + static_cast<double>(shift[i]);
                size = std::fabs(scaled) + std::fabs(static_cast<double>(shift[i]));
                return relu ? std::max(wanted, 0.0) : wanted;
            });
        }
    });
}

TEST(a_gradient_is_combined_of_gradient_value_and_constant) {
    for_maps(505, {1}, [&](Random& random, const Map& map) {
        const Buffer<float> by_gradient = numbers(random, map.channels), by_value = numbers(random, map.channels),
                            constant = numbers(random, map.channels);
        Buffer<float> dx = untouched_map(map), again = untouched_map(map);
        const int64_t count = map.pixels * map.channels, period = std::lcm(map.channels, kernels.vector_width);
        kernels.combine_channels(map.x.data(), map.dy.data(), count, map.channels,
                                 {by_gradient.data(), by_value.data(), constant.data()}, dx.data());
        const Buffer<float> all_by_gradient = repeated(by_gradient, map.channels, period),
                            all_by_value = repeated(by_value, map.channels, period),
                            all_constants = repeated(constant, map.channels, period);
        kernels.combine_channels(map.x.data(), map.dy.data(), count, period,
                                 {all_by_gradient.data(), all_by_value.data(), all_constants.data()}, again.data());
        CHECK(dx == again);
        check_map(map, dx, [&](int64_t pixel, int64_t c, double& size) {
            const auto i = static_cast<std::size_t>(c);
            const double parts[] = {map.value(map.dy, pixel, c) * static_cast<double>(by_gradient[i]),
                                    map.value(map.x, pixel, c) * static_cast<double>(by_value[i]),
                                    static_cast<double>(constant[i])};
            for (double part : parts) size += std::fabs(part);
            return parts[0] + parts[1] + parts[2];
        });
    });
}

}  // namespace convscope::test
