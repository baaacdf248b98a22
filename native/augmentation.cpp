#include "augmentation.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "kernels/split_mix.hpp"

namespace convscope {

namespace {

// The purpose of each random number of an image. `elastic` begins one for each pixel, `noise` one for two values. Slot
// s of the image at `position` is number 2^32 position + s of the epoch's sequence.
enum Slot : uint64_t {
    shift_down, shift_right, rotation, scale, shear, crop, crop_down, crop_right, cutout_down, cutout_right,
    contrast, brightness, stretch_down, stretch_right, flip,
    elastic = 1u << 30,
    noise = 2u << 30,
};

constexpr uint64_t stride = 0x9E3779B97F4A7C15u;  // SplitMix64 adds it to its state for each number
constexpr double degree = 3.14159265358979323846 / 180;

// Returns half of a Gaussian with the sum 1, from its middle on, `reach` pixels to one side.
Buffer<float> make_half_gaussian(double sigma, int64_t reach) {
    std::vector<double> gaussian;
    const double twice_variance = 2 * sigma * sigma;
    for (int64_t k = 0; k <= reach; ++k) gaussian.push_back(std::exp(-static_cast<double>(k * k) / twice_variance));
    const double sum = 2 * std::accumulate(gaussian.begin(), gaussian.end(), 0.0) - gaussian[0];
    Buffer<float> taps = make_buffer<float>(reach + 1);
    for (std::size_t k = 0; k < gaussian.size(); ++k) taps[k] = static_cast<float>(gaussian[k] / sum);
    return taps;
}

}  // namespace

uint64_t random_bits(uint64_t key, uint64_t position, uint64_t slot) {
    return split_mix(key, static_cast<int64_t>(position << 32 | slot));
}

// The random numbers of one image.
class Augmenter::Stream {
   public:
    Stream(uint64_t key, int64_t position) : key_(key), position_(static_cast<uint64_t>(position)) {}

    // Returns the start of the sequence (see split_mix.hpp) whose number 0 is random number slot + first.
    uint64_t start(Slot slot, int64_t first = 0) const {
        return key_ + ((position_ << 32 | slot) + static_cast<uint64_t>(first)) * stride;
    }
    // Returns a number uniform in [-limit, limit).
    double draw(Slot slot, double limit) const {
        return limit * (static_cast<double>(random_bits(key_, position_, slot) >> 40) * 0x1p-23 - 1);
    }
    // Returns an integer from 0 to choices - 1, each equally likely up to rounding by 2^-32.
    int64_t draw_whole(Slot slot, int64_t choices) const {
        const uint64_t bits = random_bits(key_, position_, slot) >> 32;
        return static_cast<int64_t>(bits * static_cast<uint64_t>(choices) >> 32);
    }

   private:
    const uint64_t key_, position_;
};

Augmenter::Augmenter(const Augmentation& augmentation, Shape shape, const Kernels& kernels)
    : augmentation_(augmentation), shape_(shape), kernels_(kernels), image_(make_buffer<uint8_t>(shape.size())) {
    const int64_t height = shape.height, width = shape.width, channels = shape.channels;
    if (augmentation.resamples() || augmentation.recolours()) {
        values_ = make_buffer<float>(shape.size() + augmentation_block * channels);
    }
    if (augmentation.noise > 0) normal_ = make_buffer<float>(shape.size() + 1);
    if (augmentation.resamples()) {
        framed_ = make_buffer<uint8_t>((height + 2) * (width + 2) * channels);
        corners_ = make_buffer<uint32_t>((height + 1) * (width + 2) * channels);
    }
    if (augmentation.elastic == 0) return;
    const int64_t reach = static_cast<int64_t>(std::ceil(3 * augmentation.elastic_sigma));
    taps_ = make_half_gaussian(augmentation.elastic_sigma, reach);
    above_ = std::min(reach, height - 1);  // beyond the image there is nothing to reach
    beside_ = std::min(reach, width - 1);
    field_ = make_buffer<float>((height + 2 * above_) * 2 * width);
    smoothed_ = make_buffer<float>(height * (2 * width + 3 * beside_) + augmentation_block);
    down_ = make_buffer<float>(height * width + augmentation_block);
    right_ = make_buffer<float>(height * width + augmentation_block);
}

const uint8_t* Augmenter::change(int64_t position, const uint8_t* from) {
    const Stream stream(augmentation_.key, position);
    const int64_t choices = 2 * augmentation_.shift + 1;
    const int64_t down = stream.draw_whole(shift_down, choices) - augmentation_.shift;
    const int64_t right = stream.draw_whole(shift_right, choices) - augmentation_.shift;
    if (augmentation_.resamples()) {
        resample(stream, down, right, from);
        cut_out(stream, values_.data());
    } else {
        move(down, right, from);
        if (flips(stream)) mirror();
        cut_out(stream, image_.data());
        if (!augmentation_.recolours()) return image_.data();
        kernels_.normalise(image_.data(), 1, shape_.size(), 1, 0, values_.data(), shape_.size());
    }
    recolour(stream);
    return image_.data();
}

bool Augmenter::flips(const Stream& stream) const {
    return augmentation_.horizontal_flip && stream.draw_whole(flip, 2) == 1;
}

// A row 0 1 2 3 4 becomes . . 0 1 2 if it moves right by 2, and 2 3 4 . . by -2.
void Augmenter::move(int64_t down, int64_t right, const uint8_t* from) {
    uint8_t* to = image_.data();
    const int64_t row = shape_.width * shape_.channels, moved = right * shape_.channels;
    const int64_t kept = row - (moved < 0 ? -moved : moved);
    std::memset(to, 0, static_cast<std::size_t>(shape_.size()));
    for (int64_t y = 0; y < shape_.height && kept > 0; ++y) {
        const int64_t source = y - down;
        if (source < 0 || source >= shape_.height) continue;
        std::memcpy(to + y * row + (moved > 0 ? moved : 0), from + source * row - (moved < 0 ? moved : 0),
                    static_cast<std::size_t>(kept));
    }
}

void Augmenter::mirror() {
    const int64_t channels = shape_.channels;
    for (int64_t y = 0; y < shape_.height; ++y) {
        uint8_t* left = image_.data() + y * shape_.width * channels;
        uint8_t* right = left + (shape_.width - 1) * channels;
        for (; left < right; left += channels, right -= channels) std::swap_ranges(left, left + channels, right);
    }
}

void Augmenter::resample(const Stream& stream, int64_t down, int64_t right, const uint8_t* from) {
    const int64_t row = shape_.width * shape_.channels, framed_row = row + 2 * shape_.channels;
    for (int64_t y = 0; y < shape_.height; ++y) {
        std::copy(from + y * row, from + (y + 1) * row, framed_.data() + (y + 1) * framed_row + shape_.channels);
    }
    Resampling resampling = find_offsets(stream, static_cast<double>(down), static_cast<double>(right));
    resampling.framed = framed_.data();
    resampling.corners = corners_.data();
    resampling.output = values_.data();
    if (augmentation_.elastic > 0) {
        draw_displacements(stream);
        resampling.down = down_.data();
        resampling.right = right_.data();
        resampling.strength = static_cast<float>(augmentation_.elastic);
    }
    kernels_.resample(resampling);
}

// Returns where the image is read for a pixel of the result: row rows[0] + rows[1] y + rows[2] x, and so the column.
//
// That is m + M (side (pixel - m) + offset), m the middle: all changes inverted, first the flip, then the crop (a
// window of size `side`), the shift, and by the matrix M rotation, shear, scale and stretch:
//
//         1 / tall     0         1    0      cosine  sine
//     M =    0      1 / wide    -lean 1      -sine   cosine
Resampling Augmenter::find_offsets(const Stream& stream, double down, double right) const {
    const double height = static_cast<double>(shape_.height), width = static_cast<double>(shape_.width);
    const double middle_row = (height - 1) / 2, middle_column = (width - 1) / 2;
    const double side = 1 - stream.draw(crop, augmentation_.crop / 2) - augmentation_.crop / 2;
    const double y = stream.draw(crop_down, (1 - side) * height / 2) - down - side * middle_row;
    const double x = stream.draw(crop_right, (1 - side) * width / 2) - right - side * middle_column;
    const double angle = stream.draw(rotation, augmentation_.rotation * degree);
    const double cosine = std::cos(angle), sine = std::sin(angle);
    const double lean = std::tan(stream.draw(shear, augmentation_.shear * degree));
    const double size = 1 + stream.draw(scale, augmentation_.scale);
    const double tall = size * std::exp(stream.draw(stretch_down, augmentation_.stretch));
    const double wide = size * std::exp(stream.draw(stretch_right, augmentation_.stretch));
    const double rows[2] = {cosine / tall, sine / tall};  // of M
    const double columns[2] = {(-sine - lean * cosine) / wide, (cosine - lean * sine) / wide};
    Resampling resampling;
    resampling.height = shape_.height;
    resampling.width = shape_.width;
    resampling.channels = shape_.channels;
    resampling.rows[0] = rows[0] * y + rows[1] * x + middle_row;
    resampling.columns[0] = columns[0] * y + columns[1] * x + middle_column;
    for (int i = 0; i < 2; ++i) {
        resampling.rows[i + 1] = side * rows[i];
        resampling.columns[i + 1] = side * columns[i];
    }
    if (flips(stream)) {  // reads x from the other side: width - 1 - x
        for (double* coordinates : {resampling.rows, resampling.columns}) {
            coordinates[0] += (width - 1) * coordinates[2];
            coordinates[2] = -coordinates[2];
        }
    }
    return resampling;
}

void Augmenter::draw_displacements(const Stream& stream) {
    const int64_t height = shape_.height, width = shape_.width, pair = 2 * width, padded = pair + 3 * beside_;
    for (int64_t y = 0; y < height; ++y) {
        float* row = field_.data() + (above_ + y) * pair;
        kernels_.even_pairs(stream.start(elastic, y * width), width, row, row + width);
    }
    for (int64_t y = 0; y < height; ++y) {  // in this order: `smooth` also writes zeros after its row, over what follows
        const float* row = field_.data() + (above_ + y) * pair;
        float* down = smoothed_.data() + y * padded + beside_;
        float* right = down + width + beside_;
        kernels_.smooth(row, pair, taps_.data(), above_, width, down);
        kernels_.smooth(row + width, pair, taps_.data(), above_, width, right);
        kernels_.smooth(down, 1, taps_.data(), beside_, width, down_.data() + y * width);
        kernels_.smooth(right, 1, taps_.data(), beside_, width, right_.data() + y * width);
    }
}

template <class Element>
void Augmenter::cut_out(const Stream& stream, Element* image) const {
    const int64_t side = augmentation_.cutout;
    if (side == 0) return;
    const int64_t top = stream.draw_whole(cutout_down, shape_.height) - side / 2;
    const int64_t left = stream.draw_whole(cutout_right, shape_.width) - side / 2;
    const int64_t begin = std::max<int64_t>(left, 0), end = std::min(left + side, shape_.width);
    for (int64_t y = std::max<int64_t>(top, 0); y < std::min(top + side, shape_.height); ++y) {
        Element* row = image + y * shape_.width * shape_.channels;
        std::fill(row + begin * shape_.channels, row + end * shape_.channels, Element(0));
    }
}

void Augmenter::recolour(const Stream& stream) {
    const int64_t size = shape_.size();
    double factor = 1, addend = stream.draw(brightness, augmentation_.brightness);
    if (augmentation_.contrast > 0) {
        double sum = 0;
        for (int64_t i = 0; i < size; ++i) sum += static_cast<double>(values_[static_cast<std::size_t>(i)]);
        const double change = stream.draw(contrast, augmentation_.contrast);
        factor += change;
        addend -= change * sum / static_cast<double>(size);  // so the mean stays
    }
    const float* normal = nullptr;
    if (augmentation_.noise > 0) {
        const int64_t half = (size + 1) / 2;
        kernels_.normal_pairs(stream.start(noise), half, normal_.data(), normal_.data() + half);
        normal = normal_.data();
    }
    kernels_.to_bytes(values_.data(), size, static_cast<float>(factor), static_cast<float>(addend), normal,
                      static_cast<float>(augmentation_.noise), image_.data());
}

}  // namespace convscope
