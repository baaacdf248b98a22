// The arrays that a pass over a batch needs: for the whole batch (Batch), for a slice of 8 neighbouring images
// (Workspace), and for a thread (Scratch), which computes one slice after another. Network makes them, and `bind` of
// network_memory.cpp says which of them owns which map. A layer, step i of a plan, gets the Workspace of its slice,
// with pointers to the rest:
//
//     values[i] -> layer -> values[i + 1]        gradients[i] <- layer <- gradients[i + 1]
//
// with winners[i], orders[i] and statistics[i] for itself. A shard is a few neighbouring slices that one thread computes,
// and whose weight gradients it adds up.
#pragma once

#include <memory>
#include <vector>

#include "augmentation.hpp"
#include "buffer.hpp"
#include "statistics.hpp"

namespace convscope {

constexpr int64_t slice_images = 8;  // about as many rows as a matrix product computes at once, so dense layers fill it

inline int64_t count_slices(int64_t images) { return (images + slice_images - 1) / slice_images; }

// The random numbers of images that follow each other in an epoch.
struct Chance {
    bool drops = false;  // whether dropout layers drop values, as in training
    uint64_t key = 0;    // of the epoch's dropout
    int64_t first = 0;   // position of the first image in the epoch
};

// A map for the images of a slice. It has memory for `held` images, a power of two, so image i overwrites image i -
// held: with 4 held, image 5 lies where image 1 was. Only the first `used` of an image's `stride` numbers are written.
struct MapImages {
    float* first = nullptr;
    int64_t stride = 0, held = 1, used = 0;
    Buffer<float> buffer;  // the memory; empty if the batch or the thread owns it
    float* image(int64_t i) const { return first + (i & (held - 1)) * stride; }
};

// Numbers between the maps of two images in builds that check marks (see buffer.hpp).
constexpr int64_t map_gap = checks_marks ? slack : 0;

// A thread's memory for intermediate results, which the next images overwrite.
struct Scratch {
    std::vector<MapImages> gradients;              // by map; those that the slice does not keep (Map::keeps_gradient)
    Buffer<float> floats;  // of one step at a time: memory that all steps share stays in the second-level cache
    Buffer<uint16_t> bfloat16;                     // rounded copies of a product's operands
    std::unique_ptr<Augmenter> augmenter;          // null if images are not augmented
    Buffer<float> logits_gradient;                 // of one image
    Buffer<uint32_t> won;                          // which filters won each pixel: see marks_size
    Buffer<float> sums;                            // of ablations: see SliceSums
};

// The maps of a slice, and the scratch of the thread that computes it.
struct Workspace {
    std::vector<MapImages> values, gradients;  // by map
    // By step, (images, winners_size), for the backward pass: where each number that a max pooling wrote came from.
    std::vector<Buffer<int32_t>> winners;
    std::vector<Buffer<int32_t>> orders;       // by step, (images, order_size): see PooledConvolution::Order
    Chance chance;                             // its `first` is the position of the slice's first image
    int64_t slice = 0;                         // index of the slice in the batch
    Statistics* statistics = nullptr;          // the batch's, by step
    Scratch* scratch = nullptr;

    // Where `step` writes the winners of image `i`, `size` of them; null without a backward pass.
    int32_t* winners_of(std::size_t step, int64_t i, int64_t size) {
        return winners[step].empty() ? nullptr : winners[step].data() + i * size;
    }
};

// The vectors of all images, from the input of the first dense layer on, since the gradient of dense weights is a
// product over the batch; and for each shard the sums of the other layers' weight gradients, at Plan::gradient_offsets.
struct Batch {
    std::vector<Buffer<float>> values, gradients;  // by vector, (images, stride); the first gradient lies in Workspace
    std::vector<int64_t> strides, used;            // by vector, as in MapImages
    std::vector<double> losses;                    // by image
    std::vector<uint8_t> correct;                  // by image: 1 if the prediction is correct
    std::vector<Buffer<float>> shards;             // the sums of each shard's weight gradients
    std::vector<Statistics> statistics;            // by step, of the batch normalisations
};

}  // namespace convscope
