// The preparation of handwriting: what is computed in a few operations for each pixel is what its definition says, written out
// slowly, and every compiler and processor gives the same pixels.
#include <array>
#include <cmath>
#include <set>

#include "check.hpp"
#include "handwriting/preparation.hpp"
#include "handwriting/windows.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

using namespace handwriting;

Picture random_picture(Random& random, int64_t max_side, int64_t channels, int64_t levels = 256) {
    Picture picture{1 + random.below(max_side), 1 + random.below(max_side), channels};  // braces: the height is drawn first
    for (uint8_t& value : picture.pixels) value = static_cast<uint8_t>(random.below(levels));
    return picture;
}

uint8_t edge(const Picture& plane, int64_t row, int64_t column) {
    return *plane.at(std::clamp<int64_t>(row, 0, plane.height - 1), std::clamp<int64_t>(column, 0, plane.width - 1));
}

// Applies `join` to all values in the window around each pixel of a plane. Outside the plane, windows read its nearest
// pixel.
template <class Join>
std::vector<double> in_windows(const Picture& plane, int64_t reach, Join join, double first) {
    std::vector<double> joined;
    for (int64_t i = 0; i < plane.height; ++i) {
        for (int64_t j = 0; j < plane.width; ++j) {
            double value = first;
            for (int64_t y = i - reach; y <= i + reach; ++y) {
                for (int64_t x = j - reach; x <= j + reach; ++x) value = join(value, edge(plane, y, x));
            }
            joined.push_back(value);
        }
    }
    return joined;
}

double larger(double a, double b) { return std::max(a, b); }
double smaller(double a, double b) { return std::min(a, b); }
double add(double a, double b) { return a + b; }

bool equal(const Picture& plane, const std::vector<double>& values) {
    return std::equal(plane.pixels.begin(), plane.pixels.end(), values.begin(), values.end());
}

// The hash FNV-1a, which is enough to notice a difference.
void digest(uint64_t& hash, const void* bytes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) hash = (hash ^ static_cast<const uint8_t*>(bytes)[i]) * 0x100000001b3;
}

}  // namespace

TEST(picture_windows_match_their_definitions) {
    Random random(401);
    for (int64_t reach : {0, 1, 2, 5, 20}) {
        for (int i = 0; i < 12; ++i) {
            const Picture plane = random_picture(random, 14, 1);
            std::vector<double> means = in_windows(plane, reach, add, 0);
            const double area = static_cast<double>((2 * reach + 1) * (2 * reach + 1));
            for (double& sum : means) sum = std::floor(sum / area + 0.5);
            CHECK(equal(average_windows(plane, reach), means));
            CHECK(equal(spread_largest(plane, reach), in_windows(plane, reach, larger, 0)));

            Picture wide(plane.height + 2 * reach, plane.width + 2 * reach);
            for (int64_t row = 0; row < wide.height; ++row) {
                for (int64_t column = 0; column < wide.width; ++column) {
                    *wide.at(row, column) = edge(plane, row - reach, column - reach);
                }
            }
            const std::vector<double> inflated = in_windows(wide, reach, larger, 0);
            std::copy(inflated.begin(), inflated.end(), wide.pixels.begin());
            const std::vector<double> least = in_windows(wide, reach, smaller, 255);
            std::copy(least.begin(), least.end(), wide.pixels.begin());
            const Picture closed = cut(wide, {reach, reach + plane.height, reach, reach + plane.width});
            CHECK(close_gaps(plane, reach).pixels == closed.pixels);
        }
    }
}

TEST(pieces_are_connected_pixels) {
    Random random(402);
    for (int64_t levels : {2, 3, 5}) {
        for (int i = 0; i < 20; ++i) {
            Picture plane = random_picture(random, 14, 1, levels);
            for (uint8_t& value : plane.pixels) value = value == 1;
            // Each pixel takes the smallest number of its neighbours until nothing changes.
            std::vector<std::size_t> lowest(plane.pixels.size());
            for (std::size_t k = 0; k < lowest.size(); ++k) lowest[k] = k + 1;
            for (bool has_changed = true; has_changed;) {
                has_changed = false;
                for (int64_t k = 0; k < plane.height * plane.width; ++k) {
                    for (int64_t neighbour = 0; neighbour < plane.height * plane.width; ++neighbour) {
                        const int64_t down = k / plane.width - neighbour / plane.width;
                        const int64_t right = k % plane.width - neighbour % plane.width;
                        if (std::max(std::abs(down), std::abs(right)) > 1) continue;
                        if (*plane.at(0, k) == 0 || *plane.at(0, neighbour) == 0) continue;
                        if (lowest.data()[neighbour] >= lowest.data()[k]) continue;
                        lowest.data()[k] = lowest.data()[neighbour];
                        has_changed = true;
                    }
                }
            }
            const Pieces pieces = find_pieces(plane);
            std::set<std::pair<std::size_t, int32_t>> pairs;
            std::vector<Box> boxes(pieces.boxes.size(), {plane.height, 0, plane.width, 0});
            for (std::size_t k = 0; k < lowest.size(); ++k) {
                CHECK((plane.pixels[k] == 0) == (pieces.numbers[k] == 0));
                if (plane.pixels[k] == 0) continue;
                pairs.insert({lowest[k], pieces.numbers[k]});
                Box& box = boxes[static_cast<std::size_t>(pieces.numbers[k] - 1)];
                const int64_t row = static_cast<int64_t>(k) / plane.width, column = static_cast<int64_t>(k) % plane.width;
                box = {std::min(box.top, row), std::max(box.bottom, row + 1), std::min(box.left, column),
                       std::max(box.right, column + 1)};
            }
            std::set<std::size_t> firsts;
            for (const auto& pair : pairs) firsts.insert(pair.first);
            CHECK(pairs.size() == firsts.size() && pairs.size() == boxes.size());
            for (std::size_t k = 0; k < boxes.size(); ++k) {
                const Box &a = boxes[k], &b = pieces.boxes[k];
                CHECK(a.top == b.top && a.bottom == b.bottom && a.left == b.left && a.right == b.right);
            }
        }
    }
}

TEST(area_averages_take_parts_of_pixels_by_their_share) {
    Random random(403);
    for (int i = 0; i < 40; ++i) {
        const Picture picture = random_picture(random, 9, 1 + 2 * random.below(2));
        const Size size = {1 + random.below(12), 1 + random.below(12)};
        const Picture resized = resize(picture, size);
        for (int64_t row = 0; row < size.height; ++row) {
            for (int64_t column = 0; column < size.width; ++column) {
                for (int64_t c = 0; c < picture.channels; ++c) {
                    // Both pictures are cut into parts that lie in one pixel of each.
                    int64_t sum = 0;
                    for (int64_t y = row * picture.height; y < (row + 1) * picture.height; ++y) {
                        for (int64_t x = column * picture.width; x < (column + 1) * picture.width; ++x) {
                            sum += picture.at(y / size.height, x / size.width)[c];
                        }
                    }
                    const int64_t area = picture.height * picture.width;
                    CHECK(resized.at(row, column)[c] == (2 * sum + area) / (2 * area));
                }
            }
        }
    }
}

TEST(the_threshold_minimizes_the_variance_within_both_classes) {
    Random random(404);
    const uint8_t alike[] = {0, 90, 90}, two[] = {0, 50, 50, 50, 200};
    CHECK(find_middle_of_classes(alike, 3) == 0);
    CHECK(find_middle_of_classes(two, 5) == 125);
    for (int i = 0; i < 20; ++i) {
        const std::vector<uint8_t> values = random.bytes(80);
        double best = INFINITY, middle = 0;
        for (int threshold = 1; threshold < 255; ++threshold) {
            std::array<double, 3> weak = {}, strong = {};  // the number, the sum and the sum of squares
            for (const double value : values) {
                std::array<double, 3>& sums = value <= threshold ? weak : strong;
                if (value > 0) sums = {sums[0] + 1, sums[1] + value, sums[2] + value * value};
            }
            if (weak[0] == 0 || strong[0] == 0) continue;
            const double within = weak[2] - weak[1] * weak[1] / weak[0] + strong[2] - strong[1] * strong[1] / strong[0];
            if (within > best - 1e-6) continue;
            best = within;
            middle = (weak[1] / weak[0] + strong[1] / strong[0]) / 2;
        }
        CHECK_NEAR(find_middle_of_classes(values.data(), 80), middle, 1e-9);
    }
}

TEST(pictures_are_prepared_to_the_same_bytes_by_every_compiler) {
    uint64_t hash = 0xcbf29ce484222325;
    Random random(405);
    for (uint32_t i = 0; i < 96; ++i) {
        const Picture noise = random_picture(random, 70, 1 + 2 * random.below(2), i % 3 == 0 ? 256 : 30);
        Picture picture = noise;
        const Box box = {random.below(picture.height), picture.height, random.below(picture.width), picture.width};
        for (int64_t row = box.top; row < box.bottom; ++row) {
            const int64_t right = std::min(box.left + row / 4, box.right);
            for (int64_t column = box.left; column < right; ++column) *picture.at(row, column) = 200;
        }
        const Request request = {4 + random.below(24), 4 + random.below(24), 1 + random.below(4), random.below(2) == 0,
                                 1 + random.below(24), 0.2, random.below(4) > 0, static_cast<uint32_t>(random.below(512))};
        const Prepared prepared = prepare(picture, request);
        CHECK(prepared.pictures.back().height == request.height && prepared.pictures.back().width == request.width);
        CHECK(prepared.pictures.back().channels == request.channels);
        for (const Picture& made : prepared.pictures) digest(hash, made.pixels.data(), made.pixels.size());
        digest(hash, prepared.stages.data(), sizeof prepared.stages);
        digest(hash, &prepared.hints, sizeof prepared.hints);
        digest(hash, &prepared.clipped, sizeof prepared.clipped);
    }
    CHECK(hash == 0x2444a33084927767);
}

TEST(a_picture_of_any_size_is_prepared) {
    Random random(406);
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {1, 300}, {300, 1}, {2, 2}, {281, 3}}) {
        for (const int value : {0, 127, 128, 255}) {
            Picture picture(height, width, 3);
            std::fill(picture.pixels.begin(), picture.pixels.end(), static_cast<uint8_t>(value));
            const Prepared prepared = prepare(picture, {28, 28, 1, true, INT64_MAX, 0.2, true, 511});
            CHECK(prepared.hints == 1u << empty && prepared.clipped == 0);
            CHECK(find_largest(prepared.pictures.back()) == 0);
        }
    }
}

}  // namespace convscope::test
