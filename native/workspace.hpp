// The arrays that a pass over a batch needs: of the whole batch, of a slice of its images, and of a thread.
#pragma once

#include <memory>
#include <vector>

#include "augmentation.hpp"
#include "buffer.hpp"
#include "statistics.hpp"

namespace convscope {

constexpr int64_t slice_images = 8;  // the rows of a tile of the dense layers' products

inline int64_t count_slices(int64_t images) { return (images + slice_images - 1) / slice_images; }

// Whether numbers are dropped, by which key, and the place in the epoch of the first image.
struct Chance {
    bool drops = false;
    uint64_t key = 0;
    int64_t first = 0;
};

// A map of the images of a slice. There are places for `held` of them, a power of two: image i has that of i + held too.
// `used` numbers of an image may be written; those up to its neighbour's are never written.
struct MapImages {
    float* first = nullptr;
    int64_t stride = 0, held = 1, used = 0;
    Buffer<float> buffer;  // empty where somebody else holds them
    float* image(int64_t i) const { return first + (i & (held - 1)) * stride; }
};

// Between the maps of two images, where builds check for marks.
constexpr int64_t map_gap = checks_marks ? slack : 0;

// What a thread writes down on its way and then forgets.
struct Scratch {
    std::vector<MapImages> gradients;              // by map, of those that nobody reads once their images are through
    std::vector<Buffer<float>> forward, backward;  // by step of the plan
    Buffer<uint16_t> bfloat16;                     // copies of operands
    std::unique_ptr<Augmenter> augmenter;          // where images are changed before they are seen
    Buffer<float> logits_gradient;                 // of one image
    Buffer<uint32_t> won;                          // marks of winners
    Buffer<float> sums;                            // of ablations
};

// The maps of a slice, and the scratch of the thread that is at it.
struct Workspace {
    std::vector<MapImages> values, gradients;  // by map
    std::vector<Buffer<int32_t>> winners;      // by step of the plan: images of the slice x winners_size, of training
    std::vector<Buffer<int32_t>> orders;       // by step: images of the slice x order_size
    Chance chance;                             // of the slice
    int64_t slice = 0;                         // its number in the batch
    Statistics* statistics = nullptr;          // the batch's, by step
    Scratch* scratch = nullptr;

    // Where step `step` writes the winners of image `i`, `size` of them; null where there is no way back.
    int32_t* winners_of(std::size_t step, int64_t i, int64_t size) {
        return winners[step].empty() ? nullptr : winners[step].data() + i * size;
    }
};

// Vectors of all images of a batch, the first of which enters the first dense layer: the gradient by dense weights is a sum
// over all of them. And the sums that the other layers make of their gradients.
struct Batch {
    std::vector<Buffer<float>> values, gradients;  // by vector: (images, stride); the first one's gradients lie in slices
    std::vector<int64_t> strides, used;                // as in MapImages
    std::vector<double> losses;
    std::vector<uint8_t> correct;
    std::vector<Buffer<float>> shards;
    std::vector<Statistics> statistics;  // by step, of the batch normalisations
};

}  // namespace convscope
