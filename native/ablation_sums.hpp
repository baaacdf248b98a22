// A layer's output with some channels of its input replaced by constants, by additions instead of a product.
//
// A convolution or a dense layer adds up a part for each input channel (see ChannelSums). So with the constants v and w in
// channels 1 and 4
//
//     sums' = sums - part(1) - part(4) + v ones(1) + w ones(4)      ones(c): the part of channel c if it is 1 everywhere
//
// Sums and parts are computed once for an image, and serve all its ablations. Floats make the difference inexact, so
// `replace` refuses where terms cancel too much, and ablations.cpp computes the product instead.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>

#include "network.hpp"

namespace convscope {

// A channel that is replaced by a constant.
struct ConstantChannel {
    int64_t index = 0;
    float value = 0;
};

// The layer that reads a map, if it can be computed from its channel sums.
struct Reader {
    std::unique_ptr<ChannelSums> sums;  // null if it cannot
    Buffer<float> ones;                 // (channels, size()): ones(c) of each channel, once an ablation needs them

    int64_t image_size() const { return (sums->channels() + 1) * sums->size(); }  // the sums and each channel's part
    void compute_ones() {
        if (!ones.empty()) return;
        ones = make_buffer<float>(sums->channels() * sums->size());
        for (int64_t c = 0; c < sums->channels(); ++c) sums->part_of_one(c, ones.data() + c * sums->size());
    }
};

constexpr int64_t max_sums = 1 << 18;         // floats that a thread keeps of an image at most: 1 MB
constexpr int64_t max_cached_sums = 1 << 17;  // floats of several images at once: they fit in the second-level cache

// Makes the reader of each map i, step i. Its sums are null if they are too large, or if a joining step reads the map
// too, which would need the replaced map itself.
inline std::vector<Reader> find_readers(const Plan& plan) {
    std::vector<Reader> readers(plan.maps.size());
    for (std::size_t step = 0; step < plan.steps.size(); ++step) readers[step].sums = plan.steps[step].computes->channel_sums();
    for (const Plan::Step& step : plan.steps) {
        const Extents extents = step.computes->extents();
        if (extents.reads_earlier.end > 0) readers[extents.earlier].sums = nullptr;
    }
    for (Reader& reader : readers) {
        if (reader.sums != nullptr && reader.image_size() > max_sums) reader.sums = nullptr;
    }
    return readers;
}

// The channel sums of a map's reader for a few images at a time: the whole sums, and channels' parts when first needed.
//
//     memory:  changed (one image) | whole sums (at_once images) | part of channel 0 (at_once images) | of channel 1 | ...
class SliceSums {
   public:
    SliceSums(const Kernels& kernels, const Reader& reader, Workspace& workspace)
        : kernels_(kernels), reader_(reader), workspace_(workspace), size_(reader.sums->size()),
          at_once_(std::clamp<int64_t>(max_cached_sums / reader.image_size(), 1, slice_images)) {
        Buffer<float>& memory = workspace.scratch->sums;
        const int64_t wanted = at_once_ * reader.image_size() + size_;
        if (static_cast<int64_t>(memory.size()) < wanted + slack) memory = make_buffer<float>(wanted);
        changed_ = memory.data();
        whole_.numbers = changed_ + size_;
    }

    int64_t at_once() const { return at_once_; }

    // Moves on to images [begin, end) of the slice, at most at_once().
    void take(int64_t begin, int64_t end) {
        begin_ = begin;
        end_ = end;
        parts_.assign(static_cast<std::size_t>(reader_.sums->channels()), {});
        reader_.sums->whole(workspace_, begin, end, whole_.numbers);
        measure(whole_);
    }

    // Writes the layer's output for an image with replaced channels as image `lane` of `output`. Returns false if the
    // sums are not accurate enough: not finite, or so much larger than the result that rounding errors matter.
    bool replace(const std::vector<ConstantChannel>& channels, int64_t image, Workspace& output, int64_t lane) {
        const int64_t i = image - begin_;
        const float largest_term = find_largest_term(channels, i);
        if (!std::isfinite(largest_term)) return false;
        const float largest_result = exchange_parts(channels, i);
        if (!std::isfinite(largest_result) || largest_term > max_cancelled * largest_result) return false;
        reader_.sums->finish(output, lane, changed_);
        return true;
    }

   private:
    // How many times as large as the result a term may be: 1000 - 999 = 1 has the rounding error of 1000.
    static constexpr float max_cancelled = 64;  // a term 64 times as large costs 6 of the 24 bits

    struct Sums {
        float* numbers = nullptr;          // (images, size())
        float largest[slice_images] = {};  // the largest absolute value of each image; infinite or NaN if any number is
    };

    // Returns the largest absolute value of an image's sums and of the parts of `channels`, or one that is not finite.
    float find_largest_term(const std::vector<ConstantChannel>& channels, int64_t i) {
        float largest = whole_.largest[i];
        for (const ConstantChannel& channel : channels) {
            const float part = find_part(channel.index).largest[i];
            if (!std::isfinite(part)) return part;  // std::max would ignore NaN
            largest = std::max(largest, part);
        }
        return largest;
    }

    // Writes sums' to `changed_` by the formula of this file's head, and returns the largest absolute value.
    float exchange_parts(const std::vector<ConstantChannel>& channels, int64_t i) {
        const float* from = whole_.numbers + i * size_;
        float largest = 0;
        for (const ConstantChannel& channel : channels) {
            largest = kernels_.add_scaled(changed_, from, find_part(channel.index).numbers + i * size_, -1, size_);
            from = changed_;
        }
        for (const ConstantChannel& channel : channels) {
            if (channel.value == 0) continue;
            const float* ones = reader_.ones.data() + channel.index * size_;
            largest = kernels_.add_scaled(changed_, changed_, ones, channel.value, size_);
        }
        return largest;
    }

    void measure(Sums& sums) const {
        for (int64_t i = 0; i < end_ - begin_; ++i) {
            sums.largest[i] = kernels_.largest_size(sums.numbers + i * size_, size_);
        }
    }

    const Sums& find_part(int64_t channel) {
        Sums& part = parts_[static_cast<std::size_t>(channel)];
        if (part.numbers == nullptr) {
            part.numbers = whole_.numbers + (channel + 1) * at_once_ * size_;
            reader_.sums->part(workspace_, begin_, end_, channel, part.numbers);
            measure(part);
        }
        return part;
    }

    const Kernels& kernels_;
    const Reader& reader_;
    const Workspace& workspace_;
    const int64_t size_, at_once_;
    int64_t begin_ = 0, end_ = 0;
    float* changed_;  // (size())
    Sums whole_;
    std::vector<Sums> parts_;  // by channel; `numbers` is null until the part is needed
};

}  // namespace convscope
