// Pictures as bytes (height, width, channels), resized, measured, and taken apart.
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

struct Size {
    int64_t height, width;
};

struct Box {
    int64_t top, bottom, left, right;  // bottom and right are exclusive
};

// The sum of all values, and their sums times row, column, row² and row × column.
struct Moments {
    int64_t total = 0, rows = 0, columns = 0, squares = 0, products = 0;
};

inline uint8_t round_half_up(double value) { return static_cast<uint8_t>(static_cast<int>(value + 0.5)); }

// `change` takes a byte to a byte.
template <class Change>
Picture change_values(Picture picture, Change change) {
    for (uint8_t& value : picture.pixels) value = static_cast<uint8_t>(change(value));
    return picture;
}

inline Picture invert(Picture picture) {
    return change_values(std::move(picture), [](uint8_t value) { return 255 - value; });
}

// The largest size of the same aspect within another.
Size fit(Size size, Size within);

// Resizes a picture by exact area averaging: a pixel is the mean of the pixels under it, parts by their share. Writes the
// rows [first, last) of the result. `band` holds the rows of the picture that these need, from row `start` on.
void average_rows(const uint8_t* band, int64_t start, Size from, int64_t channels, Size to, int64_t first, int64_t last,
                  uint8_t* averaged);
Picture resize(const View& picture, Size size);

// The picture in grey (1) or in colours (3), averaged down until no side is longer than `longest`.
Picture reduce(const View& picture, int64_t longest, int64_t channels);

Picture cut(const Picture& picture, const Box& box);
Picture take_channel(const Picture& picture, int64_t channel);

// `change` takes each channel, a plane, to another plane.
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
Picture join_channels(const Picture& picture);  // a plane of the largest value of each pixel
Moments sum_moments(const Picture& picture);

// The box of all values above this share of the largest; there must be some.
Box find_box(const Picture& plane, double threshold);

// Where the first pixel goes if the centre of mass comes to the middle of an image; of nothing, the picture's middle does.
// Row i counts as i, and the middle of 28 rows as 14: so the centres of MNIST's digits lie from 13.5 to 14.5.
Size find_corner(const Picture& picture, const Moments& moments, Size image);

}  // namespace convscope::handwriting
