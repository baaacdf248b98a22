#include "lesions.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

namespace convscope {

namespace {

struct Channel {
    int64_t channel = 0;
    float value = 0;
};

// Replacements in a map of a plan: some channels of some of its pixels. They are made pixel by pixel, where the channels lie
// side by side. Of two that replace the same channel the later one counts.
struct Patch {
    std::size_t map = 0;
    int64_t top = 0, bottom = 0, left = 0, right = 0;
    std::vector<Channel> channels;

    bool same_pixels(const Patch& other) const {
        return map == other.map && top == other.top && bottom == other.bottom && left == other.left && right == other.right;
    }
};

struct Patches {
    std::size_t lesion = 0;
    std::vector<Patch> patches;  // in the order of their maps
    std::size_t first = 0;       // the map where the lesion begins; the logits', if it replaces nothing
    bool by_sums = false;        // whether the layer behind that map is computed from its sums
};

// How the layer behind a map makes its sums of the map's channels.
struct Reader {
    std::unique_ptr<ChannelSums> sums;
    Buffer<float> ones;  // (channels, size()): what each would add if it were one everywhere
};

constexpr int64_t most_sums = 1 << 21;  // numbers that a thread keeps of a slice, 8 MB

int64_t sums_size(const ChannelSums& sums) { return ((sums.channels() + 1) * slice_images + 2) * sums.size(); }

Patch patch(const Network& network, const Plan& plan, const Replacement& replacement) {
    // A layer without a map of its own is fused with the pooling behind it.
    const int own = plan.map_of_layer[replacement.layer];
    const auto map = static_cast<std::size_t>(own >= 0 ? own : plan.map_of_layer[replacement.layer + 1]);
    const Shape shape = plan.maps[map].value.shape;
    if (network.layers()[replacement.layer].kind != Kind::flatten) {
        return {map, 0, shape.height, 0, shape.width, {{replacement.filter, replacement.value}}};
    }
    // A flattened map may lie there as the map that it was.
    const int64_t pixel = replacement.filter / shape.channels, y = pixel / shape.width, x = pixel % shape.width;
    return {map, y, y + 1, x, x + 1, {{replacement.filter % shape.channels, replacement.value}}};
}

// By map: who reads it, where lesions may begin there and nobody else reads it.
std::vector<Reader> readers(const Plan& plan) {
    std::vector<Reader> all(plan.maps.size());
    for (std::size_t step = 0; step < plan.steps.size(); ++step) all[step].sums = plan.steps[step].computes->channel_sums();
    for (const Plan::Step& step : plan.steps) {
        const Extents extents = step.computes->extents();
        if (extents.reads_other.end > 0) all[extents.other].sums = nullptr;
    }
    for (Reader& reader : all) {
        if (reader.sums != nullptr && sums_size(*reader.sums) > most_sums) reader.sums = nullptr;
    }
    return all;
}

Lesion by_layer(Lesion lesion) {
    std::stable_sort(lesion.begin(), lesion.end(),
                     [](const Replacement& one, const Replacement& other) { return one.layer < other.layer; });
    return lesion;
}

// Whether the lesion begins with whole channels of a map whose reader can be computed from sums.
bool is_by_sums(const Plan& plan, const Reader& reader, const Patches& lesion) {
    if (reader.sums == nullptr || lesion.patches.empty()) return false;
    const Shape shape = plan.maps[lesion.first].value.shape;
    const Patch& first = lesion.patches.front();
    const bool is_only_one = lesion.patches.size() == 1 || lesion.patches[1].map != lesion.first;
    return is_only_one && first.top == 0 && first.bottom == shape.height && first.left == 0 && first.right == shape.width;
}

// Leaves of the patch's channels each one once, with the value that counts, in their order; and adds up what they need.
void prepare(Reader& reader, Patch& patch) {
    std::vector<Channel>& channels = patch.channels;
    std::stable_sort(channels.begin(), channels.end(),
                     [](const Channel& one, const Channel& other) { return one.channel < other.channel; });
    std::vector<Channel> kept;
    for (const Channel& one : channels) {
        if (!kept.empty() && kept.back().channel == one.channel) kept.pop_back();
        kept.push_back(one);
    }
    channels = std::move(kept);
    if (!reader.ones.empty()) return;
    const ChannelSums& sums = *reader.sums;
    reader.ones = make_buffer<float>(sums.channels() * sums.size());
    for (int64_t channel = 0; channel < sums.channels(); ++channel) {
        sums.part_of_one(channel, reader.ones.data() + channel * sums.size());
    }
}

// The sums of the layer behind a map of a slice: of the whole map, and the part of each channel, as they are asked for.
class SliceSums {
   public:
    SliceSums(const Kernels& kernels, const Reader& reader, Workspace& workspace, int64_t count)
        : kernels_(kernels), reader_(reader), workspace_(workspace), count_(count), size_(reader.sums->size()) {
        Buffer<float>& memory = workspace.scratch->sums;
        const int64_t wanted = sums_size(*reader.sums);
        if (static_cast<int64_t>(memory.size()) < wanted + slack) memory = make_buffer<float>(wanted);
        changed_ = memory.data();
        constants_ = changed_ + size_;
        whole_.numbers = constants_ + size_;
        reader.sums->whole(workspace, count, whole_.numbers);
        measure(whole_);
        parts_.resize(static_cast<std::size_t>(reader.sums->channels()));
    }

    // Writes the layer's output with some of the map's channels replaced, for each image of which the sums tell it; of the
    // others they are too large beside what is left, or no numbers, and it calls compute(image) instead.
    template <class Compute>
    void replace(const std::vector<Channel>& channels, Compute compute) {
        const bool has_constants = add_constants(channels);
        for (const Channel& one : channels) find_part(one);
        for (int64_t i = 0; i < count_; ++i) {  // one after another, so that their sums stay in the first cache
            std::copy_n(whole_.numbers + i * size_, size_, changed_);
            for (const Channel& one : channels) kernels_.add(changed_, part_of(one).numbers + i * size_, size_);
            if (has_constants) kernels_.add(changed_, constants_, size_);
            const float most = most_cancelled * kernels_.largest_size(changed_, size_);
            const bool all_are_small = std::all_of(channels.begin(), channels.end(), [&](const Channel& one) {
                return part_of(one).largest[i] <= most;  // a NaN is not
            });
            if (std::isfinite(most) && all_are_small && whole_.largest[i] <= most) {
                reader_.sums->finish(workspace_, i, changed_);
            } else {
                compute(i);
            }
        }
    }

   private:
    // How much larger than the sums that are left those may be which are taken away: a factor that their rounding errors
    // grow by.
    static constexpr float most_cancelled = 64;

    struct Sums {
        float* numbers = nullptr;  // (images, size())
        float largest[slice_images] = {};  // absolute value by image; NaN where one is not finite
    };

    void measure(Sums& sums) const {
        for (int64_t i = 0; i < count_; ++i) {
            const float largest = kernels_.largest_size(sums.numbers + i * size_, size_);
            sums.largest[i] = std::isfinite(largest) ? largest : NAN;
        }
    }

    Sums& part_of(const Channel& one) { return parts_[static_cast<std::size_t>(one.channel)]; }

    // Finds what taking the channel away adds.
    void find_part(const Channel& one) {
        Sums& part = part_of(one);
        if (part.numbers != nullptr) return;
        part.numbers = whole_.numbers + (one.channel + 1) * slice_images * size_;
        reader_.sums->part(workspace_, count_, one.channel, part.numbers);
        kernels_.multiply_by(part.numbers, count_ * size_, -1);
        measure(part);
    }

    // Writes what the constants in the channels' place add; false if it is nothing.
    bool add_constants(const std::vector<Channel>& channels) {
        bool any = false;
        for (const Channel& one : channels) {
            if (one.value == 0) continue;
            float* to = any ? changed_ : constants_;
            std::copy_n(reader_.ones.data() + one.channel * size_, size_, to);
            kernels_.multiply_by(to, size_, one.value);
            if (any) kernels_.add(constants_, changed_, size_);
            any = true;
        }
        return any;
    }

    const Kernels& kernels_;
    const Reader& reader_;
    Workspace& workspace_;
    const int64_t count_, size_;
    float *changed_, *constants_;  // (size()): of an image, and what replaced channels add
    Sums whole_;
    std::vector<Sums> parts_;  // by channel, taken away; null as long as nobody has asked
};

// The lesions by where they begin, and within one where its patches lie. Two layers of one lesion may share a map: then the
// later layer has the last word, as it would have if each had its own.
std::vector<Patches> arranged(const Network& network, const Plan& plan, std::vector<Reader>& readers,
                              const std::vector<Lesion>& lesions) {
    std::vector<Patches> all;
    for (const Lesion& lesion : lesions) {
        Patches one;
        one.lesion = all.size();
        for (const Replacement& replacement : by_layer(lesion)) {
            Patch next = patch(network, plan, replacement);
            if (!one.patches.empty() && one.patches.back().same_pixels(next)) {
                one.patches.back().channels.push_back(next.channels.front());
            } else {
                one.patches.push_back(std::move(next));
            }
        }
        one.first = one.patches.empty() ? plan.steps.size() : one.patches.front().map;
        one.by_sums = is_by_sums(plan, readers[one.first], one);
        if (one.by_sums) prepare(readers[one.first], one.patches.front());
        all.push_back(std::move(one));
    }
    std::stable_sort(all.begin(), all.end(), [](const Patches& one, const Patches& other) { return one.first < other.first; });
    return all;
}

// The images [0, count) of a slice with one lesion after another.
class Slice {
   public:
    Slice(const Network& network, const Plan& plan, const std::vector<Reader>& readers, Workspace& workspace, int64_t count)
        : network_(network), plan_(plan), readers_(readers), workspace_(workspace), count_(count) {}

    // Computes the logits with `lesion`, which begins no earlier than those before it. The map it begins at is then as it was;
    // those behind are not.
    void compute(const Patches& lesion) {
        network_.forward_read(plan_, {reached_, lesion.first}, workspace_, count_);
        if (reached_ != lesion.first) {
            kept_.clear();
            sums_.reset();
        }
        reached_ = lesion.first;
        std::size_t map = reached_;
        auto patch = lesion.patches.begin();
        if (lesion.by_sums) {
            if (!sums_) sums_.emplace(network_.kernels(), readers_[map], workspace_, count_);
            sums_->replace(patch->channels, [&](int64_t image) { step_with(*patch, image); });
            ++patch;
            ++map;
        } else if (!lesion.patches.empty() && kept_.empty()) {
            keep(0, count_);
        }
        for (; patch != lesion.patches.end(); ++patch) {
            network_.forward_read(plan_, {map, patch->map}, workspace_, count_);
            map = patch->map;
            apply(*patch, 0, count_);
        }
        network_.forward_read(plan_, {map, plan_.steps.size()}, workspace_, count_);
    }

    void restore(const Patches& lesion) {
        if (!lesion.patches.empty() && !lesion.by_sums) restore(0, count_);
    }

    // Computes every layer's output with `lesion`, whose replacements are by layer, and calls take(layer) as soon as one is
    // there: the next may share its map.
    template <class Take>
    void compute_outputs(const Lesion& lesion, Take take) {
        auto replacement = lesion.begin();
        std::size_t map = 0;
        for (std::size_t layer = 0; layer < plan_.map_of_layer.size(); ++layer) {
            const auto own = static_cast<std::size_t>(plan_.map_of_layer[layer]);
            network_.forward_read(plan_, {map, own}, workspace_, count_);
            map = own;
            for (; replacement != lesion.end() && replacement->layer == layer; ++replacement) {
                apply(patch(network_, plan_, *replacement), 0, count_);
            }
            take(layer);
        }
    }

   private:
    // Keeps the map reached of images [begin, end) of the slice. A whole map is copied faster than channels here and there.
    void keep(int64_t begin, int64_t end) {
        const auto size = plan_.maps[reached_].value.size();
        kept_.resize(static_cast<std::size_t>(count_ * size));
        for (int64_t i = begin; i < end; ++i) {
            std::copy_n(workspace_.values[reached_].image(i), size, kept_.data() + i * size);
        }
    }

    void restore(int64_t begin, int64_t end) {
        const auto size = plan_.maps[reached_].value.size();
        for (int64_t i = begin; i < end; ++i) {
            std::copy_n(kept_.data() + i * size, size, workspace_.values[reached_].image(i));
        }
    }

    // Computes the layer behind the map reached for an image of whose map a patch is replaced.
    void step_with(const Patch& patch, int64_t image) {
        keep(image, image + 1);
        apply(patch, image, image + 1);
        plan_.steps[reached_].computes->forward(workspace_, image, image + 1);
        restore(image, image + 1);
        kept_.clear();
    }

    void apply(const Patch& patch, int64_t begin, int64_t end) {
        const Layout& layout = plan_.maps[patch.map].value;
        const Channel* const last = patch.channels.data() + patch.channels.size();
        for (int64_t i = begin; i < end; ++i) {
            float* const values = workspace_.values[patch.map].image(i);
            for (int64_t y = patch.top; y < patch.bottom; ++y) {
                for (int64_t x = patch.left; x < patch.right; ++x) {
                    float* const pixel = values + layout.at(y, x);
                    for (const Channel* one = patch.channels.data(); one != last; ++one) pixel[one->channel] = one->value;
                }
            }
        }
    }

    const Network& network_;
    const Plan& plan_;
    const std::vector<Reader>& readers_;
    Workspace& workspace_;
    const int64_t count_;
    std::size_t reached_ = 0;        // the last map that is as it is without a lesion
    std::vector<float> kept_;        // that map, as soon as a lesion begins there that changes it
    std::optional<SliceSums> sums_;  // of the layer behind it, as soon as a lesion asks for them
};

}  // namespace

bool lesioned_logits(const Network& network, int threads, const Images& images, int64_t count,
                     const std::vector<Lesion>& lesions, float* logits, Watcher& watcher) {
    const Plan& plan = network.plan();
    const int64_t classes = network.classes();
    std::vector<Reader> by_map = readers(plan);
    const std::vector<Patches> all = arranged(network, plan, by_map, lesions);
    Predictor predictor(network, plan, Kept::maps);
    auto work = [&](SliceArrays& arrays, int64_t begin, int64_t end, auto go_on) {
        network.read(plan, arrays.workspace, arrays.batch, predictor.from(images, begin), 0, end - begin);
        Slice slice(network, plan, by_map, arrays.workspace, end - begin);
        for (const Patches& lesion : all) {
            slice.compute(lesion);
            for (int64_t i = begin; i < end; ++i) {
                const float* values = arrays.workspace.values.back().image(i - begin);
                std::copy(values, values + classes, logits + (static_cast<int64_t>(lesion.lesion) * count + i) * classes);
            }
            slice.restore(lesion);
            if (!go_on()) return;
        }
    };
    return predictor.for_slices(threads, count, work, watcher);
}

bool lesioned_outputs(const Network& network, const Plan& plan, Predictor& predictor, int threads, const Images& images,
                      int64_t count, const Lesion& lesion, const std::vector<float*>& outputs, Watcher& watcher) {
    const Lesion ordered = by_layer(lesion);
    auto work = [&](SliceArrays& arrays, int64_t begin, int64_t end, auto) {
        network.read(plan, arrays.workspace, arrays.batch, predictor.from(images, begin), 0, end - begin);
        const std::vector<Reader> none;
        Slice slice(network, plan, none, arrays.workspace, end - begin);
        slice.compute_outputs(ordered, [&](std::size_t layer) {
            const int64_t size = network.layers()[layer].output.size();
            for (int64_t i = begin; i < end; ++i) {
                network.read_layer(plan, arrays.workspace, layer, i - begin, outputs[layer] + i * size);
            }
        });
    };
    return predictor.for_slices(threads, count, work, watcher);
}

}  // namespace convscope
