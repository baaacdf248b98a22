// Pictures as bytes (height, width, channels): resizing, measuring, and cutting.
//
// All sums are of whole numbers, and every value is rounded as floor(x + 0.5). These files are compiled without fused
// multiply-adds, so every compiler and processor gives the same pixels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace convscope::handwriting {

// A picture in the caller's memory.
struct View {
    const uint8_t* pixels;
    int64_t height, width, channels;
};

// A picture of one channel is called a plane.
struct Picture {
    Picture(int64_t height, int64_t width, int64_t channels = 1)
        : height(height), width(width), channels(channels), pixels(static_cast<std::size_t>(height * width * channels)) {}
    explicit Picture(const View& view) : Picture(view.height, view.width, view.channels) {
        std::copy_n(view.pixels, pixels.size(), pixels.data());
    }

    operator View() const { return {pixels.data(), height, width, channels}; }
    int64_t shorter() const { return std::min(height, width); }
    int64_t longer() const { return std::max(height, width); }
    const uint8_t* at(int64_t row, int64_t column = 0) const { return pixels.data() + (row * width + column) * channels; }
    uint8_t* at(int64_t row, int64_t column = 0) { return pixels.data() + (row * width + column) * channels; }

    int64_t height, width, channels;
    std::vector<uint8_t> pixels;
};

struct Size { int64_t height, width; };

struct Box {
    int64_t top, bottom, left, right;  // bottom and right are exclusive
};

// The sum of all values, and their sums times row, column, row² and row × column.
struct Moments {
    int64_t total = 0, rows = 0, columns = 0, squares = 0, products = 0;
};

inline uint8_t round_half_up(double value) { return static_cast<uint8_t>(static_cast<int>(value + 0.5)); }

// Replaces each value v by change(v).
template <class Change>
Picture change_values(Picture picture, Change change) {
    for (uint8_t& value : picture.pixels) value = static_cast<uint8_t>(change(value));
    return picture;
}

inline Picture invert(Picture picture) {
    return change_values(std::move(picture), [](uint8_t value) { return 255 - value; });
}

// Returns the largest size with the aspect ratio of `size` that fits within another: 300 x 200 in 28 x 28 is 28 x 19.
Size fit(Size size, Size within);

// Resizes a picture by exact area averaging: a pixel of the result is the mean of the picture under it, in which a
// pixel covered in part has that weight. Writes rows [first, last) of the result of size `to`. `band` holds the rows of
// the picture of size `from` that these need, from row `start` on: of 280 rows to 28, rows [3, 5) need 30 to 49.
void average_rows(const uint8_t* band, int64_t start, Size from, int64_t channels, Size to, int64_t first, int64_t last,
                  uint8_t* averaged);
Picture resize(const View& picture, Size size);

// Returns the picture with 1 (grey) or 3 channels (colour), averaged down so that no side is longer than `longest`.
Picture reduce(const View& picture, int64_t longest, int64_t channels);

Picture cut(const Picture& picture, const Box& box);
Picture take_channel(const Picture& picture, int64_t channel);

// Replaces each channel, a plane, by change(plane).
template <class Change>
Picture change_channels(const Picture& picture, Change change) {
    if (picture.channels == 1) return change(picture);
    Picture changed(0, 0);
    for (int64_t c = 0; c < picture.channels; ++c) {
        const Picture plane = change(take_channel(picture, c));
        if (c == 0) changed = Picture(plane.height, plane.width, picture.channels);
        uint8_t* into = changed.pixels.data() + c;
        for (const uint8_t value : plane.pixels) {
            *into = value;
            into += picture.channels;
        }
    }
    return changed;
}

std::vector<uint8_t> take_border(const Picture& plane);
int find_median(std::vector<uint8_t> values);  // the lower of the middle two
int find_largest(const Picture& picture);
Picture join_channels(const Picture& picture);  // each pixel's largest value as a plane
Moments sum_moments(const Picture& picture);

// Returns the box around all values above `threshold` times the largest. There must be some.
Box find_box(const Picture& plane, double threshold);

// Returns the position of the picture's first pixel, maybe negative, in an image whose middle is the picture's centre
// of mass, or its middle if all sums are 0. Row i counts as i, the middle of 28 rows as 14, since MNIST's centres are
// from 13.5 to 14.5: with the centre of mass in row 5.2 the first row is 14 - 5.2, rounded 9.
Size find_corner(const Picture& picture, const Moments& moments, Size image);

}  // namespace convscope::handwriting
