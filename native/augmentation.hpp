// Random changes of training images, byte to byte, made where the image is about to be read.
//
// What happens to an image is a function of the epoch's key and of the image's position in the epoch's order, and of
// nothing else: not of the thread, nor of what was drawn before. engine/augmentation.py says the same in NumPy.
#pragma once

#include <cstdint>

#include "layer.hpp"

namespace convscope {

struct Augmentation {
    int64_t shift = 0;  // pixels, at most
    uint64_t key = 0;   // of the epoch's random stream
    bool changes() const { return shift > 0; }
};

// Number `slot` of the stream of the image at `position`, any 64 bits with equal chance.
uint64_t random_bits(uint64_t key, uint64_t position, uint64_t slot);

// Writes the changed image to `to`, which is not `from`.
void augment(const Augmentation& augmentation, Shape shape, int64_t position, const uint8_t* from, uint8_t* to);

}  // namespace convscope
