// Random changes of training images, byte to byte, made where the image is about to be read.
//
// What happens to an image is a function of the epoch's key and of the image's position in the epoch's order, and of
// nothing else: not of the thread, nor of what was drawn before. engine/augmentation.py says the same in NumPy.
#pragma once

#include <cstdint>

#include "buffer.hpp"
#include "kernels/kernels.hpp"
#include "layers/layer.hpp"

namespace convscope {

// As recipes/augmentation.py describes it.
struct Augmentation {
    int64_t shift = 0;                                  // pixels, at most
    double rotation = 0, scale = 0, shear = 0, crop = 0;  // degrees and shares, at most
    double stretch = 0;                                 // of each side, at most: the logarithm of its factor
    double elastic = 0, elastic_sigma = 4;              // pixels
    bool horizontal_flip = false;                       // every second time
    int64_t cutout = 0;                                 // pixels
    double contrast = 0, brightness = 0, noise = 0;     // a share and grey levels
    uint64_t key = 0;                                   // of the epoch's random stream

    // Whether an image is read between its pixels, and whether its values change where they are.
    bool resamples() const {
        return rotation > 0 || scale > 0 || stretch > 0 || shear > 0 || crop > 0 || elastic > 0;
    }
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

// Number `slot` of the stream of the image at `position`, any 64 bits with equal chance.
uint64_t random_bits(uint64_t key, uint64_t position, uint64_t slot);

// Changes images of one shape, one after the other; a thread has its own.
class Augmenter {
   public:
    Augmenter(const Augmentation& augmentation, Shape shape, const Kernels& kernels);

    // Returns the image at `from` as it is at `position` of the epoch's order. It stays until the next one.
    const uint8_t* change(int64_t position, const uint8_t* from);

   private:
    class Stream;

    bool flips(const Stream& stream) const;
    void move(int64_t down, int64_t right, const uint8_t* from);
    void mirror();
    // Reads the image between its pixels into `values_`.
    void resample(const Stream& stream, int64_t down, int64_t right, const uint8_t* from);
    Resampling find_offsets(const Stream& stream, double down, double right) const;
    void draw_displacements(const Stream& stream);
    template <class Element>
    void cut_out(const Stream& stream, Element* image) const;
    // From `values_` to the bytes.
    void recolour(const Stream& stream);

    const Augmentation augmentation_;
    const Shape shape_;
    const Kernels& kernels_;
    Buffer<uint8_t> image_;
    Buffer<float> values_, normal_;
    Buffer<uint8_t> framed_;  // what is resampled, in a frame of zeros
    Buffer<uint32_t> corners_;
    Buffer<float> taps_;    // half of a Gaussian, from its middle
    int64_t above_ = 0, beside_ = 0;  // how many rows and columns it reaches
    // Two fields side by side: between rows of zeros, then smoothed downwards and between columns of zeros.
    Buffer<float> field_, smoothed_;
    Buffer<float> down_, right_;  // (height, width): smoothed
};

}  // namespace convscope
