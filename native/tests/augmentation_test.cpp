// Augmentation: its kernels against plain loops in double, and each change of whole images against its definition.
#include "augmentation.hpp"

#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

constexpr double pi = 3.14159265358979323846;

Buffer<float> untouched_buffer(int64_t count) {
    Buffer<float> buffer = plain_buffer<float>(count);
    std::fill(buffer.begin(), buffer.end(), untouched);
    return buffer;
}

// The upper 24 of 64 random bits, and the next 24: two random numbers below 2^24 = 16777216. Divided by 2^23 = 8388608,
// less 1, they are numbers from -1 to 1.
double high_part(uint64_t bits) { return static_cast<double>(bits >> 40); }
double low_part(uint64_t bits) { return static_cast<double>(bits >> 16 & 0xffffff); }

std::size_t at(int64_t i) { return static_cast<std::size_t>(i); }

// A byte of the image, or zero outside of it.
double pixel(const std::vector<uint8_t>& image, Shape shape, int64_t y, int64_t x, int64_t c) {
    if (y < 0 || y >= shape.height || x < 0 || x >= shape.width) return 0;
    return image[at((y * shape.width + x) * shape.channels + c)];
}

// Interpolates linearly between the four pixels around a point.
double interpolate(const std::vector<uint8_t>& image, Shape shape, double row, double column, int64_t c) {
    if (std::fabs(row) > 1e6 || std::fabs(column) > 1e6) return 0;
    const double top = std::floor(row), left = std::floor(column);
    const auto y = static_cast<int64_t>(top), x = static_cast<int64_t>(left);
    const double below = row - top, right = column - left;
    return (1 - below) * ((1 - right) * pixel(image, shape, y, x, c) + right * pixel(image, shape, y, x + 1, c)) +
           below * ((1 - right) * pixel(image, shape, y + 1, x, c) + right * pixel(image, shape, y + 1, x + 1, c));
}

// Compares a resampled random image with its definition: output pixel (y, x) reads the source at
//     row = rows[0] + rows[1] y + rows[2] x + strength down(y, x), and its column likewise with `columns` and `right`.
// Without a stretch, row = y and column = x. The engine gets the source in a frame of zeros, one pixel wide.
void check_resampling(const Kernels& kernels, Shape shape, double stretch, float strength, Random& random) {
    const std::vector<uint8_t> image = random.bytes(shape.size());
    const int64_t row = shape.width * shape.channels, framed_row = row + 2 * shape.channels;
    Buffer<uint8_t> framed = plain_buffer<uint8_t>((shape.height + 2) * framed_row);
    for (int64_t y = 0; y < shape.height; ++y) {
        std::copy(image.data() + y * row, image.data() + (y + 1) * row,
                  framed.data() + (y + 1) * framed_row + shape.channels);
    }
    Buffer<uint32_t> corners = plain_buffer<uint32_t>((shape.height + 1) * framed_row);
    const Buffer<float> down = random.numbers(shape.height * shape.width);
    const Buffer<float> right = random.numbers(shape.height * shape.width);
    Buffer<float> output = plain_buffer<float>(shape.size() + augmentation_block * shape.channels);
    Resampling r;
    r.framed = framed.data();
    r.corners = corners.data();
    r.height = shape.height;
    r.width = shape.width;
    r.channels = shape.channels;
    r.output = output.data();
    for (int i = 0; i < 3; ++i) {
        r.rows[i] = stretch * static_cast<double>(random.number()) + (i == 1);
        r.columns[i] = stretch * static_cast<double>(random.number()) + (i == 2);
    }
    if (strength > 0) {
        r.down = down.data();
        r.right = right.data();
        r.strength = strength;
    }
    kernels.resample(r);
    for (int64_t y = 0; y < shape.height; ++y) {
        for (int64_t x = 0; x < shape.width; ++x) {
            const double dy = static_cast<double>(y), dx = static_cast<double>(x), s = static_cast<double>(r.strength);
            const auto pixel = at(y * shape.width + x);
            const double source_row =
                r.rows[0] + r.rows[1] * dy + r.rows[2] * dx + s * static_cast<double>(down[pixel]);
            const double source_column =
                r.columns[0] + r.columns[1] * dy + r.columns[2] * dx + s * static_cast<double>(right[pixel]);
            for (int64_t c = 0; c < shape.channels; ++c) {
                // Floats round a source position, and a position that moves by 1e-4 moves a value by up to 0.05.
                CHECK_NEAR(static_cast<double>(output[pixel * at(shape.channels) + at(c)]),
                           interpolate(image, shape, source_row, source_column, c), 0.05);
            }
        }
    }
}

// Returns the image as changed at `position` in an epoch.
std::vector<uint8_t> change_at(const Augmentation& augmentation, Shape shape, const Kernels& kernels, int64_t position,
                               const std::vector<uint8_t>& image) {
    Augmenter augmenter(augmentation, shape, kernels);
    const uint8_t* result = augmenter.change(position, image.data());
    return {result, result + shape.size()};
}

// Returns settings of most changes at once.
Augmentation everything() {
    Augmentation all;
    all.shift = 2;
    all.rotation = 15;
    all.scale = 0.2;
    all.shear = 10;
    all.crop = 0.1;
    all.elastic = 20;
    all.horizontal_flip = true;
    all.cutout = 4;
    all.contrast = 0.3;
    all.brightness = 30;
    all.noise = 10;
    all.key = 0xfedcba9876543210u;
    return all;
}

}  // namespace

TEST(uniform_pairs_are_the_halves_of_splitmix64) {
    for (int64_t count : {1, 8, 28, 31, 32, 33, 100}) {
        Buffer<float> first = untouched_buffer(count), second = untouched_buffer(count);
        kernels.even_pairs(987654321, count, first.data(), second.data());
        Random sequence(987654321);
        for (int64_t i = 0; i < count; ++i) {
            const uint64_t bits = sequence.bits();
            CHECK(static_cast<double>(first[at(i)]) == high_part(bits) / 8388608 - 1);
            CHECK(static_cast<double>(second[at(i)]) == low_part(bits) / 8388608 - 1);
        }
        CHECK(first[at(count)] == untouched);
        CHECK(second[at(count)] == untouched);
    }
}

TEST(normal_pairs_follow_box_and_muller) {
    for (int64_t count : {1, 17, 32, 20000}) {
        Buffer<float> first = untouched_buffer(count), second = untouched_buffer(count);
        kernels.normal_pairs(555, count, first.data(), second.data());
        Random sequence(555);
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < count; ++i) {
            const uint64_t bits = sequence.bits();
            const double radius = std::sqrt(-2 * std::log((high_part(bits) + 1) / 16777216));
            const double angle = 2 * pi * low_part(bits) / 16777216;
            CHECK_NEAR(static_cast<double>(first[at(i)]), radius * std::cos(angle), 3e-6);
            CHECK_NEAR(static_cast<double>(second[at(i)]), radius * std::sin(angle), 3e-6);
            sum += static_cast<double>(first[at(i)]) + static_cast<double>(second[at(i)]);
            squares += static_cast<double>(first[at(i)] * first[at(i)] + second[at(i)] * second[at(i)]);
        }
        CHECK(first[at(count)] == untouched);
        if (count < 1000) continue;
        // Within five standard deviations: 1 / sqrt(2 count) of the mean, sqrt(2) times as much of the mean square.
        CHECK_NEAR(sum / static_cast<double>(2 * count), 0, 0.025);
        CHECK_NEAR(squares / static_cast<double>(2 * count), 1, 0.036);
    }
}

TEST(smoothing_is_a_symmetric_weighted_sum) {
    Random random(61);
    for (int64_t count : {1, 5, 28, 32, 45}) {
        for (int64_t radius : {0, 1, 12}) {
            for (int64_t step : {int64_t{1}, count, 2 * count + 3}) {
                const int64_t margin = radius * step;
                const Buffer<float> from = random.numbers(2 * margin + count + augmentation_block);
                const Buffer<float> taps = random.numbers(radius + 1);
                Buffer<float> to = untouched_buffer(round_up(count, augmentation_block));
                kernels.smooth(from.data() + margin, step, taps.data(), radius, count, to.data());
                for (int64_t i = 0; i < count; ++i) {
                    double sum = 0;
                    for (int64_t k = -radius; k <= radius; ++k) {
                        sum += static_cast<double>(from[at(margin + i + k * step)]) *
                               static_cast<double>(taps[at(std::abs(k))]);
                    }
                    CHECK_NEAR(static_cast<double>(to[at(i)]), sum, 1e-5);
                }
                for (int64_t i = count; i < round_up(count, augmentation_block); ++i) CHECK(to[at(i)] == 0);
                CHECK(to[at(round_up(count, augmentation_block))] == untouched);
            }
        }
    }
}

TEST(resampling_reads_between_pixels_and_zeros_outside) {
    Random random(62);
    // One augmentation_block of columns is 32: fewer, as many, and more.
    for (Shape shape :
         {Shape{1, 1, 1}, Shape{9, 28, 1}, Shape{7, 32, 1}, Shape{4, 70, 1}, Shape{6, 5, 3}, Shape{3, 40, 4}}) {
        for (double stretch : {0.0, 0.3, 3.0, 200.0}) {
            for (float strength : {0.0f, 2.5f}) check_resampling(kernels, shape, stretch, strength, random);
        }
    }
}

TEST(values_are_rounded_to_bytes_halves_up) {
    const float values[] = {-1e30f, -0.6f, 0, 0.49f, 0.5f, 1.5f, 126.51f, 254.49f, 254.5f, 300, 1e30f};
    const uint8_t wanted[] = {0, 0, 0, 0, 1, 2, 127, 254, 255, 255, 255};
    for (int64_t i = 0; i < 11; ++i) {
        uint8_t byte = 77;
        kernels.to_bytes(values + i, 1, 1, 0, nullptr, 0, &byte);
        CHECK(byte == wanted[i]);
    }
    Random random(63);
    for (int64_t count : {1, 31, 64, 100}) {
        const Buffer<float> x = random.numbers(count), noise = random.numbers(count);
        std::vector<uint8_t> plain(at(count + 1), 77), noisy(at(count + 1), 77);
        kernels.to_bytes(x.data(), count, 100, 120, nullptr, 0, plain.data());
        kernels.to_bytes(x.data(), count, 100, 120, noise.data(), 50, noisy.data());
        for (int64_t i = 0; i < count; ++i) {
            const double value = 100 * static_cast<double>(x[at(i)]) + 120;
            const double more = value + 50 * static_cast<double>(noise[at(i)]);
            CHECK_NEAR(static_cast<double>(plain[at(i)]), value, 0.501);
            CHECK_NEAR(static_cast<double>(noisy[at(i)]), std::clamp(more, 0.0, 255.0), 0.501);
        }
        CHECK(plain[at(count)] == 77);
        CHECK(noisy[at(count)] == 77);
    }
}

// The engine draws an integer below n as (upper 32 random bits) n / 2^32.
TEST(a_shift_moves_bytes_and_brings_in_zeros) {
    Random random(64);
    Augmentation augmentation;
    augmentation.shift = 9;
    for (Shape shape : {Shape{1, 1, 1}, Shape{7, 12, 1}, Shape{11, 5, 3}}) {
        const std::vector<uint8_t> image = random.bytes(shape.size());
        for (int64_t position : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{3}, int64_t{1} << 33}) {
            const auto counter = static_cast<uint64_t>(position);
            // A shift from -9 to 9 is one of 19 numbers. Slots 0 and 1 of the random bits are for shifts.
            const auto down = static_cast<int64_t>((random_bits(0, counter, 0) >> 32) * 19 >> 32) - 9;
            const auto right = static_cast<int64_t>((random_bits(0, counter, 1) >> 32) * 19 >> 32) - 9;
            const std::vector<uint8_t> moved = change_at(augmentation, shape, kernels, position, image);
            for (int64_t i = 0; i < shape.size(); ++i) {
                const int64_t y = i / (shape.width * shape.channels), x = i / shape.channels % shape.width;
                CHECK(moved[at(i)] == pixel(image, shape, y - down, x - right, i % shape.channels));
            }
        }
    }
}

TEST(a_flip_follows_the_shift) {
    Random random(68);
    for (Shape shape : {Shape{1, 1, 1}, Shape{7, 12, 1}, Shape{11, 5, 3}}) {
        const std::vector<uint8_t> image = random.bytes(shape.size());
        Augmentation shifted, flipped;
        shifted.shift = flipped.shift = 2;
        flipped.horizontal_flip = true;
        for (int64_t position = 0; position < 20; ++position) {
            const bool is_mirrored = random_bits(0, static_cast<uint64_t>(position), 14) >> 63 != 0;  // slot 14: flips
            const std::vector<uint8_t> moved = change_at(shifted, shape, kernels, position, image);
            const std::vector<uint8_t> mirrored = change_at(flipped, shape, kernels, position, image);
            for (int64_t i = 0; i < shape.size(); ++i) {
                const int64_t y = i / (shape.width * shape.channels), x = i / shape.channels % shape.width;
                const int64_t from = is_mirrored ? shape.width - 1 - x : x;
                CHECK(mirrored[at(i)] == pixel(moved, shape, y, from, i % shape.channels));
            }
        }
    }
}

TEST(a_cutout_is_a_square_of_zeros) {
    const Shape shape{6, 9, 2};
    const std::vector<uint8_t> white(at(shape.size()), 255);
    Augmentation augmentation;
    augmentation.cutout = 4;
    for (int64_t position = 0; position < 50; ++position) {
        const auto counter = static_cast<uint64_t>(position);
        // The middle is any of 6 rows and 9 columns, from slots 8 and 9 of the random bits; the side is 4.
        const auto top = static_cast<int64_t>((random_bits(0, counter, 8) >> 32) * 6 >> 32) - 2;
        const auto left = static_cast<int64_t>((random_bits(0, counter, 9) >> 32) * 9 >> 32) - 2;
        const std::vector<uint8_t> cut = change_at(augmentation, shape, kernels, position, white);
        for (int64_t i = 0; i < shape.size(); ++i) {
            const int64_t y = i / (9 * 2), x = i / 2 % 9;  // 9 columns of 2 channels
            const bool inside = y >= top && y < top + 4 && x >= left && x < left + 4;
            CHECK(cut[at(i)] == (inside ? 0 : 255));
        }
    }
}

TEST(augmentation_of_an_image_depends_only_on_its_position) {
    Random random(65);
    for (Shape shape : {Shape{1, 1, 1}, Shape{28, 28, 1}, Shape{9, 41, 3}}) {
        const std::vector<uint8_t> image = random.bytes(shape.size());
        Augmenter augmenter(everything(), shape, kernels);
        for (int64_t position : {5, 0, 3, 3, 1000000, 0}) {
            const uint8_t* again = augmenter.change(position, image.data());
            const std::vector<uint8_t> alone = change_at(everything(), shape, kernels, position, image);
            CHECK(std::equal(alone.begin(), alone.end(), again));
        }
    }
}

TEST(every_augmentation_changes_the_image) {
    const Shape shape{28, 28, 1};
    Random random(66);
    const std::vector<uint8_t> image = random.bytes(shape.size());
    CHECK(!Augmentation{}.changes());
    CHECK(change_at({}, shape, kernels, 3, image) == image);
    double Augmentation::* const numbers[] = {
        &Augmentation::rotation, &Augmentation::scale,    &Augmentation::shear,      &Augmentation::crop,
        &Augmentation::elastic,  &Augmentation::contrast, &Augmentation::brightness, &Augmentation::noise};
    for (double Augmentation::* const number : numbers) {
        Augmentation single;
        single.*number = number == &Augmentation::brightness ? 80 : 0.8;  // brightness is in grey levels
        CHECK(single.changes());
        CHECK(change_at(single, shape, kernels, 3, image) != image);
    }
}

}  // namespace convscope::test
