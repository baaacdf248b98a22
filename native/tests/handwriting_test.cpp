// The preparation of handwriting. Its fast algorithms are compared with their definitions, written as plain loops, and
// a hash checks that every compiler and processor gives the same pixels.
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

// Returns a picture with sides from 1 to max_side and values from 0 to levels - 1.
Picture random_picture(Random& random, int64_t max_side, int64_t channels, int64_t levels = 256) {
    const int64_t height = 1 + random.below(max_side), width = 1 + random.below(max_side);
    Picture picture(height, width, channels);
    for (uint8_t& value : picture.pixels) value = static_cast<uint8_t>(random.below(levels));
    return picture;
}

// Returns the pixel at (row, column), or for a position outside the plane the nearest pixel.
uint8_t nearest_pixel(const Picture& plane, int64_t row, int64_t column) {
    return *plane.at(std::clamp<int64_t>(row, 0, plane.height - 1), std::clamp<int64_t>(column, 0, plane.width - 1));
}

// Combines all values in the window around each pixel of a plane, row by row: value = combine(value, pixel), from
// `first` on. Outside the plane, windows read its nearest pixel.
template <class Combine>
std::vector<double> combine_windows(const Picture& plane, int64_t reach, Combine combine, double first) {
    std::vector<double> combined;
    for (int64_t i = 0; i < plane.height; ++i) {
        for (int64_t j = 0; j < plane.width; ++j) {
            double value = first;
            for (int64_t y = i - reach; y <= i + reach; ++y) {
                for (int64_t x = j - reach; x <= j + reach; ++x) value = combine(value, nearest_pixel(plane, y, x));
            }
            combined.push_back(value);
        }
    }
    return combined;
}

double larger(double a, double b) { return std::max(a, b); }
double smaller(double a, double b) { return std::min(a, b); }
double add(double a, double b) { return a + b; }

bool equal(const Picture& plane, const std::vector<double>& values) {
    return std::equal(plane.pixels.begin(), plane.pixels.end(), values.begin(), values.end());
}

// Returns the plane with `reach` more pixels on each side, copies of the nearest pixel of the plane.
Picture extend(const Picture& plane, int64_t reach) {
    Picture wide(plane.height + 2 * reach, plane.width + 2 * reach);
    for (int64_t row = 0; row < wide.height; ++row) {
        for (int64_t column = 0; column < wide.width; ++column) {
            *wide.at(row, column) = nearest_pixel(plane, row - reach, column - reach);
        }
    }
    return wide;
}

// Returns the morphological closing of a plane: the smallest of the largest values in its windows. The largest values
// are computed beyond the plane's border too, so that all windows of the smallest are whole.
Picture close_gaps_slowly(const Picture& plane, int64_t reach) {
    Picture wide = extend(plane, reach);
    const std::vector<double> inflated = combine_windows(wide, reach, larger, 0);
    std::copy(inflated.begin(), inflated.end(), wide.pixels.begin());
    const std::vector<double> closed = combine_windows(wide, reach, smaller, 255);
    std::copy(closed.begin(), closed.end(), wide.pixels.begin());
    return cut(wide, {reach, reach + plane.height, reach, reach + plane.width});
}

// Returns a label for each pixel that is not 0. Connected pixels, also at corners, have the same label: each pixel
// starts with its own and takes the smallest of its neighbours' until nothing changes.
std::vector<int64_t> label_pieces_slowly(const Picture& plane) {
    const int64_t count = plane.height * plane.width;
    std::vector<int64_t> label_buffer(static_cast<std::size_t>(count));
    int64_t* labels = label_buffer.data();
    for (int64_t i = 0; i < count; ++i) labels[i] = i;
    for (bool has_changed = true; has_changed;) {
        has_changed = false;
        for (int64_t i = 0; i < count; ++i) {
            for (int64_t neighbour = 0; neighbour < count; ++neighbour) {
                const int64_t down = i / plane.width - neighbour / plane.width;
                const int64_t right = i % plane.width - neighbour % plane.width;
                const bool touches = std::max(std::abs(down), std::abs(right)) <= 1;
                if (!touches || *plane.at(0, i) == 0 || *plane.at(0, neighbour) == 0) continue;
                if (labels[neighbour] >= labels[i]) continue;
                labels[i] = labels[neighbour];
                has_changed = true;
            }
        }
    }
    return label_buffer;
}

// Returns the smallest box around the pixels of piece `number`.
Box find_box_of_piece(const Pieces& pieces, int32_t number, const Picture& plane) {
    Box box = {plane.height, 0, plane.width, 0};
    for (int64_t i = 0; i < plane.height * plane.width; ++i) {
        if (pieces.numbers.data()[i] != number) continue;
        const int64_t row = i / plane.width, column = i % plane.width;
        box = {std::min(box.top, row), std::max(box.bottom, row + 1), std::min(box.left, column),
               std::max(box.right, column + 1)};
    }
    return box;
}

// Draws a triangle of ink from a random corner to the lower right: row y is y / 4 pixels long.
void draw_stroke(Picture& picture, Random& random) {
    const Box box = {random.below(picture.height), picture.height, random.below(picture.width), picture.width};
    for (int64_t row = box.top; row < box.bottom; ++row) {
        const int64_t right = std::min(box.left + row / 4, box.right);
        for (int64_t column = box.left; column < right; ++column) *picture.at(row, column) = 200;
    }
}

// Continues an FNV-1a hash over some bytes. Source: Fowler, Noll and Vo 1991; the factor is their 64-bit prime.
void add_to_hash(uint64_t& hash, const void* bytes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) hash = (hash ^ static_cast<const uint8_t*>(bytes)[i]) * 0x100000001b3;
}

}  // namespace

TEST(picture_windows_match_their_definitions) {
    Random random(401);
    for (int64_t reach : {0, 1, 2, 5, 20}) {
        for (int i = 0; i < 12; ++i) {
            const Picture plane = random_picture(random, 14, 1);
            std::vector<double> means = combine_windows(plane, reach, add, 0);
            const double area = static_cast<double>((2 * reach + 1) * (2 * reach + 1));
            for (double& sum : means) sum = std::floor(sum / area + 0.5);
            CHECK(equal(average_windows(plane, reach), means));
            CHECK(equal(spread_largest(plane, reach), combine_windows(plane, reach, larger, 0)));
            CHECK(close_gaps(plane, reach).pixels == close_gaps_slowly(plane, reach).pixels);
        }
    }
}

TEST(pieces_are_connected_pixels) {
    Random random(402);
    for (int64_t levels : {2, 3, 5}) {  // one pixel in 2, 3 or 5 is ink
        for (int i = 0; i < 20; ++i) {
            Picture plane = random_picture(random, 14, 1, levels);
            for (uint8_t& value : plane.pixels) value = value == 1;
            const std::vector<int64_t> labels = label_pieces_slowly(plane);
            const Pieces pieces = find_pieces(plane);
            // The numbers of the pieces and the labels are the same up to their names: each occurs with one of the
            // others.
            std::set<std::pair<int64_t, int32_t>> pairs;
            std::set<int64_t> labels_of_ink;
            for (std::size_t k = 0; k < labels.size(); ++k) {
                CHECK((plane.pixels[k] == 0) == (pieces.numbers[k] == 0));
                if (plane.pixels[k] == 0) continue;
                pairs.insert({labels[k], pieces.numbers[k]});
                labels_of_ink.insert(labels[k]);
            }
            CHECK(pairs.size() == labels_of_ink.size() && pairs.size() == pieces.boxes.size());
            for (std::size_t k = 0; k < pieces.boxes.size(); ++k) {
                const Box got = pieces.boxes[k], want = find_box_of_piece(pieces, static_cast<int32_t>(k + 1), plane);
                CHECK(got.top == want.top && got.bottom == want.bottom);
                CHECK(got.left == want.left && got.right == want.right);
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
                    // Divide the plane into picture.height * size.height by picture.width * size.width parts. Each part
                    // lies in one pixel of either picture, and a pixel of `resized` has picture.height * picture.width
                    // parts.
                    int64_t sum = 0;
                    for (int64_t y = row * picture.height; y < (row + 1) * picture.height; ++y) {
                        for (int64_t x = column * picture.width; x < (column + 1) * picture.width; ++x) {
                            sum += picture.at(y / size.height, x / size.width)[c];
                        }
                    }
                    const int64_t area = picture.height * picture.width;
                    CHECK(resized.at(row, column)[c] == (2 * sum + area) / (2 * area));  // sum / area, rounded half up
                }
            }
        }
    }
}

// Otsu's method: of all thresholds, choose the one for which the squared distances from the two class means add up to
// the least; `find_middle_of_classes` returns the middle of these means. Values of 0 belong to no class.
TEST(the_threshold_minimizes_the_variance_within_both_classes) {
    Random random(404);
    const uint8_t one_level[] = {0, 90, 90}, two_levels[] = {0, 50, 50, 50, 200};
    CHECK(find_middle_of_classes(one_level, 3) == 0);
    CHECK(find_middle_of_classes(two_levels, 5) == 125);  // (50 + 200) / 2
    for (int i = 0; i < 20; ++i) {
        const std::vector<uint8_t> values = random.bytes(80);
        double best = INFINITY, middle = 0;
        for (int threshold = 1; threshold < 255; ++threshold) {
            std::array<double, 3> weak = {}, strong = {};  // of each class: the number, sum and sum of squares
            for (const double value : values) {
                std::array<double, 3>& sums = value <= threshold ? weak : strong;
                if (value > 0) sums = {sums[0] + 1, sums[1] + value, sums[2] + value * value};
            }
            if (weak[0] == 0 || strong[0] == 0) continue;
            // The sum of (x - mean)^2 over n numbers is the sum of x^2, less the square of the sum of x over n.
            const double within = weak[2] - weak[1] * weak[1] / weak[0] + strong[2] - strong[1] * strong[1] / strong[0];
            if (within > best - 1e-6) continue;  // of thresholds that are as good, up to rounding, the lowest counts
            best = within;
            middle = (weak[1] / weak[0] + strong[1] / strong[0]) / 2;
        }
        CHECK_NEAR(find_middle_of_classes(values.data(), 80), middle, 1e-9);
    }
}

TEST(pictures_are_prepared_to_the_same_bytes_by_every_compiler) {
    uint64_t hash = 0xcbf29ce484222325;  // where FNV-1a starts
    Random random(405);
    for (uint32_t i = 0; i < 96; ++i) {
        Picture picture = random_picture(random, 70, 1 + 2 * random.below(2), i % 3 == 0 ? 256 : 30);
        draw_stroke(picture, random);
        Request request{};
        request.height = 4 + random.below(24);
        request.width = 4 + random.below(24);
        request.channels = 1 + random.below(4);
        request.is_ink_light = random.below(2) == 0;
        request.target = 1 + random.below(24);
        request.threshold = 0.2;
        request.is_centred = random.below(4) > 0;
        request.steps = static_cast<uint32_t>(random.below(512));  // any of the nine steps
        const Prepared prepared = prepare(picture, request);
        const Picture& image = prepared.pictures.back();
        CHECK(image.height == request.height && image.width == request.width && image.channels == request.channels);
        for (const Picture& stage : prepared.pictures) add_to_hash(hash, stage.pixels.data(), stage.pixels.size());
        add_to_hash(hash, prepared.stages.data(), sizeof prepared.stages);
        add_to_hash(hash, &prepared.hints, sizeof prepared.hints);
        add_to_hash(hash, &prepared.clipped, sizeof prepared.clipped);
    }
    // The hash of the first build's output. A change of the algorithm changes it: then copy the number that all builds
    // give.
    CHECK(hash == 0xaeeaa9d97c5d052e);
}

TEST(a_picture_of_one_grey_level_and_any_size_has_no_ink) {
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {1, 300}, {300, 1}, {2, 2}, {281, 3}}) {
        for (const int value : {0, 127, 128, 255}) {
            Picture picture(height, width, 3);
            std::fill(picture.pixels.begin(), picture.pixels.end(), static_cast<uint8_t>(value));
            const Request all_nine_steps = {28, 28, 1, true, INT64_MAX, 0.2, true, 511};
            const Prepared prepared = prepare(picture, all_nine_steps);
            CHECK(prepared.hints == 1u << empty && prepared.clipped == 0);
            CHECK(find_largest(prepared.pictures.back()) == 0);
        }
    }
}

}  // namespace convscope::test
