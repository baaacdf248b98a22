#include "ablations.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

namespace convscope {

namespace {

// A channel and the constant that replaces it.
struct Channel {
    int64_t channel = 0;
    float value = 0;
};

// Replacements in a map of a plan: some channels of the pixels in a box. The later of two values for a channel counts.
struct Patch {
    std::size_t map = 0;
    int64_t top = 0, bottom = 0, left = 0, right = 0;
    std::vector<Channel> channels;

    bool same_pixels(const Patch& patch) const {
        return map == patch.map && top == patch.top && bottom == patch.bottom && left == patch.left && right == patch.right;
    }
};

// The patches of one ablation.
struct Patches {
    std::size_t ablation = 0;    // index among the caller's ablations
    std::vector<Patch> patches;  // in the order of their maps
    std::size_t first = 0;       // the first replaced map; the logits if nothing is replaced
    bool by_sums = false;        // whether the layer that reads this map is computed from its channel sums
};

// The layer that reads a map, if it can be computed from its channel sums.
struct Reader {
    std::unique_ptr<ChannelSums> sums;  // null if it cannot
    Buffer<float> ones;  // (channels, size()): the part of each channel if it were one everywhere

    int64_t image_size() const { return (sums->channels() + 1) * sums->size(); }  // the whole sums and each channel's part
};

constexpr int64_t max_sums = 1 << 18;        // floats that a thread keeps of an image at most: 1 MB
constexpr int64_t max_cached_sums = 1 << 17;  // floats of several images at once: they fit in the second-level cache

// Returns a replacement as a patch of the plan's map.
Patch patch(const Network& network, const Plan& plan, const Replacement& replacement) {
    // A layer without a map of its own is fused with the pooling after it.
    const int own = plan.map_of_layer[replacement.layer];
    const auto map = static_cast<std::size_t>(own >= 0 ? own : plan.map_of_layer[replacement.layer + 1]);
    const Shape shape = plan.maps[map].value.shape;
    if (network.layers()[replacement.layer].kind != Kind::flatten) {
        return {map, 0, shape.height, 0, shape.width, {{replacement.filter, replacement.value}}};
    }
    // A flatten may be no step, so its output is still the map, and the unit is one channel of one pixel.
    const int64_t pixel = replacement.filter / shape.channels, y = pixel / shape.width, x = pixel % shape.width;
    return {map, y, y + 1, x, x + 1, {{replacement.filter % shape.channels, replacement.value}}};
}

// Makes the reader of each map. Its sums are null if another layer reads the map too, or if they need too much memory.
std::vector<Reader> readers(const Plan& plan) {
    std::vector<Reader> all(plan.maps.size());
    for (std::size_t step = 0; step < plan.steps.size(); ++step) all[step].sums = plan.steps[step].computes->channel_sums();
    for (const Plan::Step& step : plan.steps) {
        const Extents extents = step.computes->extents();
        if (extents.reads_earlier.end > 0) all[extents.earlier].sums = nullptr;
    }
    for (Reader& reader : all) {
        if (reader.sums != nullptr && reader.image_size() > max_sums) reader.sums = nullptr;
    }
    return all;
}

// Sorts replacements by layer.
Ablation by_layer(Ablation ablation) {
    std::stable_sort(ablation.begin(), ablation.end(),
                     [](const Replacement& a, const Replacement& b) { return a.layer < b.layer; });
    return ablation;
}

// Whether the first map of the ablation has only whole channels replaced, and its reader can be computed from sums.
bool is_by_sums(const Plan& plan, const Reader& reader, const Patches& ablation) {
    if (reader.sums == nullptr || ablation.patches.empty()) return false;
    const Shape shape = plan.maps[ablation.first].value.shape;
    const Patch& first = ablation.patches.front();
    const bool is_only_one = ablation.patches.size() == 1 || ablation.patches[1].map != ablation.first;
    return is_only_one && first.top == 0 && first.bottom == shape.height && first.left == 0 && first.right == shape.width;
}

// Sorts the patch's channels and keeps the last value of each. Computes the reader's `ones` at the first call.
void prepare(Reader& reader, Patch& patch) {
    std::vector<Channel>& channels = patch.channels;
    std::stable_sort(channels.begin(), channels.end(),
                     [](const Channel& a, const Channel& b) { return a.channel < b.channel; });
    std::vector<Channel> kept;
    for (const Channel& replaced : channels) {
        if (!kept.empty() && kept.back().channel == replaced.channel) kept.pop_back();
        kept.push_back(replaced);
    }
    channels = std::move(kept);
    if (!reader.ones.empty()) return;
    const ChannelSums& sums = *reader.sums;
    reader.ones = make_buffer<float>(sums.channels() * sums.size());
    for (int64_t channel = 0; channel < sums.channels(); ++channel) {
        sums.part_of_one(channel, reader.ones.data() + channel * sums.size());
    }
}

// The channel sums of a map's reader for a few images at a time: the whole sums, and channels' parts when first needed.
class SliceSums {
   public:
    SliceSums(const Kernels& kernels, const Reader& reader, Workspace& workspace)
        : kernels_(kernels),
          reader_(reader),
          workspace_(workspace),
          size_(reader.sums->size()),
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
    bool replace(const std::vector<Channel>& channels, int64_t image, Workspace& output, int64_t lane) {
        const int64_t i = image - begin_;
        const float* from = whole_.numbers + i * size_;
        float largest = 0, largest_taken = whole_.largest[i];
        bool all_are_numbers = std::isfinite(largest_taken);
        for (const Channel& replaced : channels) {
            const Sums& part = find_part(replaced.channel);
            largest = kernels_.add_scaled(changed_, from, part.numbers + i * size_, -1, size_);
            from = changed_;
            all_are_numbers = all_are_numbers && std::isfinite(part.largest[i]);
            largest_taken = std::max(largest_taken, part.largest[i]);
        }
        for (const Channel& replaced : channels) {
            if (replaced.value == 0) continue;
            largest = kernels_.add_scaled(changed_, changed_, reader_.ones.data() + replaced.channel * size_, replaced.value, size_);
        }
        if (!all_are_numbers || !std::isfinite(largest) || largest_taken > max_cancelled * largest) return false;
        reader_.sums->finish(output, lane, changed_);
        return true;
    }

   private:
    // The largest sum or part is at most so many times the largest result: rounding errors grow by this factor.
    static constexpr float max_cancelled = 64;

    struct Sums {
        float* numbers = nullptr;          // (images, size())
        float largest[slice_images] = {};  // the largest absolute value of each image; infinite or NaN if any number is
    };

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

// Turns ablations into patches, sorted by the first replaced map and by `by_sums`. Two layers of an ablation may share
// a map: then the later layer's replacement counts, as if each layer had a map.
std::vector<Patches> arrange(const Network& network, const Plan& plan, std::vector<Reader>& readers,
                              const std::vector<Ablation>& ablations) {
    std::vector<Patches> all;
    for (const Ablation& ablation : ablations) {
        Patches patches;
        patches.ablation = all.size();
        for (const Replacement& replacement : by_layer(ablation)) {
            Patch next = patch(network, plan, replacement);
            if (!patches.patches.empty() && patches.patches.back().same_pixels(next)) {
                patches.patches.back().channels.push_back(next.channels.front());
            } else {
                patches.patches.push_back(std::move(next));
            }
        }
        patches.first = patches.patches.empty() ? plan.steps.size() : patches.patches.front().map;
        patches.by_sums = is_by_sums(plan, readers[patches.first], patches);
        if (patches.by_sums) prepare(readers[patches.first], patches.patches.front());
        all.push_back(std::move(patches));
    }
    std::stable_sort(all.begin(), all.end(), [](const Patches& a, const Patches& b) {
        return std::pair(a.first, a.by_sums) < std::pair(b.first, b.by_sums);
    });
    return all;
}

// Makes a patch's replacements in an image's map.
void apply(const Plan& plan, const Patch& patch, Workspace& workspace, int64_t image) {
    const Layout& layout = plan.maps[patch.map].value;
    float* const values = workspace.values[patch.map].image(image);
    const Channel* const last = patch.channels.data() + patch.channels.size();
    for (int64_t y = patch.top; y < patch.bottom; ++y) {
        for (int64_t x = patch.left; x < patch.right; ++x) {
            float* const pixel = values + layout.at(y, x);
            for (const Channel* channel = patch.channels.data(); channel != last; ++channel) {
                pixel[channel->channel] = channel->value;
            }
        }
    }
}

// Computes ablations of a slice's images. `whole` holds the images without ablation. Each pair of an image and an
// ablation takes a lane, one image of the workspace `lanes`, and all lanes are computed together from the first
// replaced map to the logits. A lane can hold any pair, so the dense layers have full tiles even with few images or few
// ablations. The pairs of an image follow each other, so that its sums stay in cache.
class Slice {
   public:
    // `whole` has read images [0, count).
    Slice(const Network& network, const Plan& plan, const std::vector<Reader>& readers, Workspace& whole, Workspace& lanes,
          int64_t count)
        : network_(network), plan_(plan), readers_(readers), whole_(whole), lanes_(lanes), count_(count) {}

    // Computes the logits with ablations [begin, end) and calls take(ablation, image, logits) for each. They have the
    // same `first` and `by_sums`, and `first` is not before that of the last call. Stops if go_on() is false.
    template <class Take, class GoOn>
    void compute(const Patches* begin, const Patches* end, Take take, GoOn go_on) {
        const std::size_t first = begin->first;
        network_.forward_read(plan_, {reached_, first}, whole_, count_);
        reached_ = first;
        std::optional<SliceSums> sums;
        if (begin->by_sums) sums.emplace(network_.kernels(), readers_[first], whole_);
        find_needed(first + (begin->by_sums ? 1 : 0));
        const int64_t at_once = sums ? sums->at_once() : count_;
        for (int64_t image = 0; image < count_; ++image) {
            if (sums && image % at_once == 0) sums->take(image, std::min(image + at_once, count_));
            for (const Patches* ablation = begin; ablation != end; ++ablation) {
                enter(*ablation, image, sums);
                const bool is_last = image + 1 == count_ && ablation + 1 == end;
                if (static_cast<int64_t>(pairs_.size()) < slice_images && !is_last) continue;
                finish(take);
                if (!go_on()) return;
            }
        }
    }

   private:
    struct Pair {
        const Patches* ablation;
        int64_t image;
        std::vector<Patch>::const_iterator next;  // the first patch that is not applied yet
    };

    // Finds the maps before `start` that joining layers after it read.
    void find_needed(std::size_t start) {
        start_ = start;
        needed_.clear();
        for (std::size_t step = start; step < plan_.steps.size(); ++step) {
            const Extents extents = plan_.steps[step].computes->extents();
            if (extents.reads_earlier.end > 0 && extents.earlier < start) needed_.push_back(extents.earlier);
        }
    }

    // Gives the pair the next lane and computes it up to map `start_`.
    void enter(const Patches& ablation, int64_t image, std::optional<SliceSums>& sums) {
        const auto lane = static_cast<int64_t>(pairs_.size());
        pairs_.push_back({&ablation, image, ablation.patches.begin()});
        for (std::size_t map : needed_) copy(map, image, lane);
        if (!sums) {
            copy(reached_, image, lane);
            patch_at(reached_, lane);
            return;
        }
        Pair& pair = pairs_.back();
        if (!sums->replace(pair.next->channels, image, lanes_, lane)) {
            copy(reached_, image, lane);
            apply(plan_, *pair.next, lanes_, lane);
            plan_.steps[reached_].computes->forward(lanes_, lane, lane + 1);
        }
        ++pair.next;
        patch_at(start_, lane);
    }

    // Computes all lanes from map `start_` to the logits, applying patches on the way, and empties the lanes.
    template <class Take>
    void finish(Take take) {
        const auto count = static_cast<int64_t>(pairs_.size());
        for (std::size_t map = start_; map < plan_.steps.size();) {
            std::size_t next = plan_.steps.size();
            for (const Pair& pair : pairs_) {
                if (pair.next != pair.ablation->patches.end()) next = std::min(next, pair.next->map);
            }
            network_.forward_read(plan_, {map, next}, lanes_, count);
            for (int64_t lane = 0; lane < count; ++lane) patch_at(next, lane);
            map = next;
        }
        for (int64_t lane = 0; lane < count; ++lane) {
            const Pair& pair = pairs_[static_cast<std::size_t>(lane)];
            take(pair.ablation->ablation, pair.image, lanes_.values.back().image(lane));
        }
        pairs_.clear();
    }

    // Applies the patches of a lane's ablation in `map`.
    void patch_at(std::size_t map, int64_t lane) {
        Pair& pair = pairs_[static_cast<std::size_t>(lane)];
        for (; pair.next != pair.ablation->patches.end() && pair.next->map == map; ++pair.next) apply(plan_, *pair.next, lanes_, lane);
    }

    void copy(std::size_t map, int64_t image, int64_t lane) const {
        std::copy_n(whole_.values[map].image(image), plan_.maps[map].value.size(), lanes_.values[map].image(lane));
    }

    const Network& network_;
    const Plan& plan_;
    const std::vector<Reader>& readers_;
    Workspace &whole_, &lanes_;
    const int64_t count_;
    std::size_t reached_ = 0;  // the last map computed in `whole`
    std::size_t start_ = 0;    // the map from which all lanes are computed together
    std::vector<std::size_t> needed_;  // earlier maps that a lane needs a copy of
    std::vector<Pair> pairs_;  // by lane
};

}  // namespace

bool ablation_logits(const Network& network, int threads, const Images& images, int64_t count,
                     const std::vector<Ablation>& ablations, float* logits, Watcher& watcher) {
    const Plan& plan = network.plan();
    const int64_t classes = network.classes();
    std::vector<Reader> by_map = readers(plan);
    const std::vector<Patches> all = arrange(network, plan, by_map, ablations);
    Predictor predictor(network, plan, Kept::maps);
    auto work = [&](SliceArrays& arrays, int64_t begin, int64_t end, auto go_on) {
        SliceArrays& lanes = predictor.second(arrays);
        network.read(plan, arrays.workspace, arrays.batch, predictor.from(images, begin), 0, end - begin);
        network.read(plan, lanes.workspace, lanes.batch, images, 0, 0);
        Slice slice(network, plan, by_map, arrays.workspace, lanes.workspace, end - begin);
        const auto take = [&](std::size_t ablation, int64_t image, const float* values) {
            std::copy(values, values + classes, logits + (static_cast<int64_t>(ablation) * count + begin + image) * classes);
        };
        bool goes_on = true;
        for (auto first = all.begin(), last = first; first != all.end() && goes_on; first = last) {
            last = std::find_if(first, all.end(), [&](const Patches& patches) {
                return patches.first != first->first || patches.by_sums != first->by_sums;
            });
            slice.compute(&*first, &*first + (last - first), take, [&] { return goes_on = go_on(); });
        }
    };
    return predictor.for_slices(threads, count, work, watcher);
}

// Reads each layer's output as soon as it is computed, since the next layer may overwrite a part of the same map.
bool ablated_outputs(const Network& network, PlannedPredictor& planned, int threads, const Images& images, int64_t count,
                      const Ablation& ablation, const std::vector<float*>& outputs, Watcher& watcher) {
    const Plan& plan = planned.plan;
    const Ablation ordered = by_layer(ablation);
    auto work = [&](SliceArrays& arrays, int64_t begin, int64_t end, auto) {
        Workspace& workspace = arrays.workspace;
        network.read(plan, workspace, arrays.batch, planned.predictor.from(images, begin), 0, end - begin);
        auto replacement = ordered.begin();
        std::size_t map = 0;
        for (std::size_t layer = 0; layer < plan.map_of_layer.size(); ++layer) {
            const auto own = static_cast<std::size_t>(plan.map_of_layer[layer]);
            network.forward_read(plan, {map, own}, workspace, end - begin);
            map = own;
            for (; replacement != ordered.end() && replacement->layer == layer; ++replacement) {
                const Patch change = patch(network, plan, *replacement);
                for (int64_t i = 0; i < end - begin; ++i) apply(plan, change, workspace, i);
            }
            const int64_t size = network.layers()[layer].output.size();
            for (int64_t i = begin; i < end; ++i) {
                network.read_layer(plan, workspace, layer, i - begin, outputs[layer] + i * size);
            }
        }
    };
    return planned.predictor.for_slices(threads, count, work, watcher);
}

}  // namespace convscope
