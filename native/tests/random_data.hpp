// Random images and labels that fit an architecture's input shape and number of classes.
#pragma once

#include "naive_network.hpp"
#include "numbers.hpp"

namespace convscope::test {

struct RandomData {
    RandomData(const Architecture& architecture, int64_t count, uint64_t seed)
        : image_bytes(architecture.input.shape.size()) {
        Random random(seed);
        bytes = random.bytes(count * image_bytes);
        for (int64_t i = 0; i < count; ++i) labels.push_back(random.below(architecture.classes()));
    }
    const uint8_t* image(int64_t i) const { return bytes.data() + i * image_bytes; }
    // Returns pointers to images [begin, end).
    std::vector<const uint8_t*> images(int64_t begin, int64_t end) const {
        std::vector<const uint8_t*> images;
        for (int64_t i = begin; i < end; ++i) images.push_back(image(i));
        return images;
    }
    int64_t count() const { return static_cast<int64_t>(labels.size()); }

    int64_t image_bytes;
    std::vector<uint8_t> bytes;
    std::vector<int64_t> labels;
};

}  // namespace convscope::test
