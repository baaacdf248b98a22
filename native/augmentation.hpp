// Random changes of training images, from bytes to bytes, made just before an image is read.
//
// The change depends only on the epoch's key and on the image's position in the epoch's order, not on the thread or on
// numbers drawn before. engine/augmentation.py computes the same in NumPy.
#pragma once

#include <cstdint>

#include "buffer.hpp"
#include "kernels/kernels.hpp"
#include "layers/layer.hpp"

namespace convscope {

// The largest changes, which recipes/augmentation.py describes. 0 is no change.
struct Augmentation {
    int64_t shift = 0;                                    // pixels
    double rotation = 0, scale = 0, shear = 0, crop = 0;  // in turn: degrees, a share of the size, degrees, a share
    double stretch = 0;                                   // logarithm of each side's factor
    double elastic = 0, elastic_sigma = 4;                // pixels
    bool horizontal_flip = false;                         // with probability 1/2
    int64_t cutout = 0;                                   // pixels
    double contrast = 0, brightness = 0, noise = 0;       // a share, grey levels, and grey levels
    uint64_t key = 0;                                     // determines the epoch's random numbers

    // Whether pixels are interpolated, and whether values change without moving.
    bool resamples() const { return rotation > 0 || scale > 0 || stretch > 0 || shear > 0 || crop > 0 || elastic > 0; }
    bool recolours() const { return contrast > 0 || brightness > 0 || noise > 0; }
    bool changes() const { return shift > 0 || horizontal_flip || cutout > 0 || resamples() || recolours(); }

    template <class Visit>
    static constexpr void for_fields(Visit visit) {
        visit("shift", &Augmentation::shift);
        visit("rotation", &Augmentation::rotation);
        visit("scale", &Augmentation::scale);
        visit("stretch", &Augmentation::stretch);
        visit("shear", &Augmentation::shear);
        visit("crop", &Augmentation::crop);
        visit("elastic", &Augmentation::elastic);
        visit("elastic_sigma", &Augmentation::elastic_sigma);
        visit("horizontal_flip", &Augmentation::horizontal_flip);
        visit("cutout", &Augmentation::cutout);
        visit("contrast", &Augmentation::contrast);
        visit("brightness", &Augmentation::brightness);
        visit("noise", &Augmentation::noise);
        visit("key", &Augmentation::key);
    }
};

// Returns random number `slot` of the image at `position` in the epoch: 64 random bits.
uint64_t random_bits(uint64_t key, uint64_t position, uint64_t slot);

// Changes images of one shape, one after the other; a thread has its own.
class Augmenter {
   public:
    Augmenter(const Augmentation& augmentation, Shape shape, const Kernels& kernels);

    // Returns the image at `from` with the changes of `position` in the epoch's order. It is valid until the next call.
    const uint8_t* change(int64_t position, const uint8_t* from);

   private:
    class Stream;

    bool flips(const Stream& stream) const;
    void move(int64_t down, int64_t right, const uint8_t* from);  // by whole pixels, to `image_`
    void mirror();                                                // `image_`, left to right
    // Reads the image between its pixels into `values_`.
    void resample(const Stream& stream, int64_t down, int64_t right, const uint8_t* from);
    Resampling find_offsets(const Stream& stream, double down, double right) const;
    void draw_displacements(const Stream& stream);
    template <class Element>
    void cut_out(const Stream& stream, Element* image) const;
    // Changes contrast, brightness and noise, from `values_` to `image_`.
    void recolour(const Stream& stream);

    const Augmentation augmentation_;
    const Shape shape_;
    const Kernels& kernels_;
    Buffer<uint8_t> image_;
    Buffer<float> values_, normal_;  // the image as floats, and normal random numbers for its noise
    Buffer<uint8_t> framed_;  // the image to resample, in a frame of zeros
    Buffer<uint32_t> corners_;        // scratch of kernels_.resample
    Buffer<float> taps_;              // half of a Gaussian, from its middle
    int64_t above_ = 0, beside_ = 0;  // how many rows and columns the Gaussian reaches
    // The displacements down and to the right, side by side in each row. `field_` has rows of zeros above and below;
    // `smoothed_` is `field_` smoothed along columns, with zeros on both sides of each half: a row is 0 down 0 right 0.
    Buffer<float> field_, smoothed_;
    Buffer<float> down_, right_;  // (height, width): smoothed along rows too
};

}  // namespace convscope
