#include "picture.hpp"

#include <cmath>

namespace convscope::handwriting {

namespace {

// Cuts a line of `length` entries into `parts` equal parts, and calls visit(entry, share) for the entries that part `i`
// overlaps. Measured in entries / parts, part i is the interval [i length, (i + 1) length), an entry e is the interval
// [e parts, (e + 1) parts), and the share is the length of their intersection. Of 5 entries in 3 parts, part 0 is
// [0, 5), so it has all of entry 0, [0, 3), and the share 2 of entry 1, [3, 6).
template <class Visit>
void for_shares(int64_t i, int64_t length, int64_t parts, Visit visit) {
    const int64_t begin = i * length, end = begin + length;
    for (int64_t entry = begin / parts; entry * parts < end; ++entry) {
        visit(entry, std::min(end, (entry + 1) * parts) - std::max(begin, entry * parts));
    }
}

Picture convert(const View& picture, int64_t channels) {
    if (picture.channels == channels) return Picture(picture);
    Picture converted(picture.height, picture.width, channels);
    const uint8_t* from = picture.pixels;
    for (uint8_t* into = converted.at(0); into != converted.at(picture.height); into += channels, from += picture.channels) {
        if (channels == 3) {  // grey becomes equal red, green and blue
            std::fill_n(into, 3, *from);
        } else {  // luma of ITU-R BT.601
            *into = static_cast<uint8_t>((299 * from[0] + 587 * from[1] + 114 * from[2] + 500) / 1000);
        }
    }
    return converted;
}

int64_t fit_side(int64_t side, int64_t within, int64_t other_side) {
    const double scaled = static_cast<double>(side * within) / static_cast<double>(other_side);
    return std::max<int64_t>(1, static_cast<int64_t>(scaled + 0.5));  // as `other_side` becomes `within`
}

int64_t offset_to_middle(int64_t side, int64_t moment, int64_t total) {
    const double centre = static_cast<double>(moment) / static_cast<double>(total);
    return static_cast<int64_t>(std::floor(static_cast<double>(side) / 2 - centre + 0.5));
}

}  // namespace

Size fit(Size size, Size within) {
    if (size.height * within.width >= size.width * within.height) {
        return {within.height, fit_side(size.width, within.height, size.height)};
    }
    return {fit_side(size.height, within.width, size.width), within.width};
}

void average_rows(const uint8_t* band, int64_t start, Size from, int64_t channels, Size to, int64_t first, int64_t last,
                  uint8_t* averaged) {
    const int64_t length = from.width * channels;
    const auto area = static_cast<double>(from.height * from.width);
    std::vector<int64_t> sums(static_cast<std::size_t>(length));  // by value of a row: weighted sums over the rows
    for (int64_t i = first; i < last; ++i) {
        std::fill(sums.begin(), sums.end(), 0);
        for_shares(i, from.height, to.height, [&](int64_t row, int64_t share) {
            const uint8_t* values = band + (row - start) * length;
            for (int64_t k = 0; k < length; ++k) sums.data()[k] += share * values[k];
        });
        for (int64_t j = 0; j < to.width; ++j) {
            for (int64_t c = 0; c < channels; ++c) {
                int64_t sum = 0;
                for_shares(j, from.width, to.width,
                           [&](int64_t column, int64_t share) { sum += share * sums.data()[column * channels + c]; });
                *averaged++ = round_half_up(static_cast<double>(sum) / area);
            }
        }
    }
}

Picture resize(const View& picture, Size size) {
    if (picture.height == size.height && picture.width == size.width) return Picture(picture);
    Picture resized(size.height, size.width, picture.channels);
    const Size from = {picture.height, picture.width};
    average_rows(picture.pixels, 0, from, picture.channels, size, 0, size.height, resized.pixels.data());
    return resized;
}

Picture reduce(const View& picture, int64_t longest, int64_t channels) {
    if (std::max(picture.height, picture.width) <= longest) return convert(picture, channels);
    return convert(resize(picture, fit({picture.height, picture.width}, {longest, longest})), channels);
}

Picture cut(const Picture& picture, const Box& box) {
    Picture part(box.bottom - box.top, box.right - box.left, picture.channels);
    for (int64_t i = 0; i < part.height; ++i) {
        std::copy_n(picture.at(box.top + i, box.left), part.width * part.channels, part.at(i));
    }
    return part;
}

Picture take_channel(const Picture& picture, int64_t channel) {
    if (picture.channels == 1) return picture;
    Picture plane(picture.height, picture.width);
    const uint8_t* from = picture.pixels.data() + channel;
    for (std::size_t i = 0; i < plane.pixels.size(); ++i) plane.pixels[i] = from[static_cast<int64_t>(i) * picture.channels];
    return plane;
}

std::vector<uint8_t> take_border(const Picture& plane) {
    std::vector<uint8_t> border;
    for (int64_t i = 0; i < plane.height; ++i) {
        const bool is_whole = i == 0 || i == plane.height - 1;  // else only the first and the last pixel of the row
        const int64_t step = is_whole ? 1 : std::max<int64_t>(1, plane.width - 1);
        for (int64_t j = 0; j < plane.width; j += step) border.push_back(*plane.at(i, j));
    }
    return border;
}

int find_median(std::vector<uint8_t> values) {
    const auto middle = values.begin() + (static_cast<std::ptrdiff_t>(values.size()) - 1) / 2;
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

int find_largest(const Picture& picture) {
    uint8_t largest = 0;
    for (const uint8_t value : picture.pixels) largest = std::max(largest, value);
    return largest;
}

Picture join_channels(const Picture& picture) {
    Picture largest = take_channel(picture, 0);
    for (int64_t c = 1; c < picture.channels; ++c) {
        const Picture plane = take_channel(picture, c);
        for (std::size_t i = 0; i < plane.pixels.size(); ++i) largest.pixels[i] = std::max(largest.pixels[i], plane.pixels[i]);
    }
    return largest;
}

Moments sum_moments(const Picture& picture) {
    Moments sums;
    for (int64_t i = 0; i < picture.height; ++i) {
        int64_t total = 0, columns = 0;
        for (int64_t j = 0; j < picture.width; ++j) {
            int64_t sum = 0;
            for (int64_t c = 0; c < picture.channels; ++c) sum += picture.at(i, j)[c];
            total += sum;
            columns += j * sum;
        }
        sums.total += total;
        sums.rows += total * i;
        sums.columns += columns;
        sums.squares += total * i * i;
        sums.products += columns * i;
    }
    return sums;
}

Box find_box(const Picture& plane, double threshold) {
    const double level = threshold * find_largest(plane);
    Box box = {plane.height, 0, plane.width, 0};
    for (int64_t i = 0; i < plane.height; ++i) {
        for (int64_t j = 0; j < plane.width; ++j) {
            if (*plane.at(i, j) <= level) continue;
            box = {std::min(box.top, i), i + 1, std::min(box.left, j), std::max(box.right, j + 1)};
        }
    }
    return box;
}

Size find_corner(const Picture& picture, const Moments& moments, Size image) {
    if (moments.total == 0) return {(image.height - picture.height) / 2, (image.width - picture.width) / 2};
    return {offset_to_middle(image.height, moments.rows, moments.total),
            offset_to_middle(image.width, moments.columns, moments.total)};
}

}  // namespace convscope::handwriting
