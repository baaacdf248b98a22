#include "lesions.hpp"

#include <algorithm>

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
};

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

Lesion by_layer(Lesion lesion) {
    std::stable_sort(lesion.begin(), lesion.end(),
                     [](const Replacement& one, const Replacement& other) { return one.layer < other.layer; });
    return lesion;
}

// The lesions by where they begin, and within one where its patches lie. Two layers of one lesion may share a map: then the
// later layer has the last word, as it would have if each had its own.
std::vector<Patches> arranged(const Network& network, const Plan& plan, const std::vector<Lesion>& lesions) {
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
        all.push_back(std::move(one));
    }
    std::stable_sort(all.begin(), all.end(), [](const Patches& one, const Patches& other) { return one.first < other.first; });
    return all;
}

// The images [0, count) of a slice with one lesion after another.
class Slice {
   public:
    Slice(const Network& network, const Plan& plan, Workspace& workspace, int64_t count)
        : network_(network), plan_(plan), workspace_(workspace), count_(count) {}

    // Computes the logits with `lesion`, which begins no earlier than those before it. The map it begins at is then as it was;
    // those behind are not.
    void compute(const Patches& lesion) {
        network_.forward_read(plan_, {reached_, lesion.first}, workspace_, count_);
        if (reached_ != lesion.first) kept_.clear();
        reached_ = lesion.first;
        if (!lesion.patches.empty() && kept_.empty()) keep();
        std::size_t map = reached_;
        for (const Patch& patch : lesion.patches) {
            network_.forward_read(plan_, {map, patch.map}, workspace_, count_);
            map = patch.map;
            apply(patch);
        }
        network_.forward_read(plan_, {map, plan_.steps.size()}, workspace_, count_);
    }

    void restore(const Patches& lesion) {
        if (lesion.patches.empty()) return;
        const auto size = plan_.maps[reached_].value.size();
        for (int64_t i = 0; i < count_; ++i) {
            std::copy_n(kept_.data() + i * size, size, workspace_.values[reached_].image(i));
        }
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
                apply(patch(network_, plan_, *replacement));
            }
            take(layer);
        }
    }

   private:
    // A whole map is copied faster than channels here and there.
    void keep() {
        const auto size = plan_.maps[reached_].value.size();
        kept_.resize(static_cast<std::size_t>(count_ * size));
        for (int64_t i = 0; i < count_; ++i) {
            std::copy_n(workspace_.values[reached_].image(i), size, kept_.data() + i * size);
        }
    }

    void apply(const Patch& patch) {
        const Layout& layout = plan_.maps[patch.map].value;
        const Channel* const end = patch.channels.data() + patch.channels.size();
        for (int64_t i = 0; i < count_; ++i) {
            float* const values = workspace_.values[patch.map].image(i);
            for (int64_t y = patch.top; y < patch.bottom; ++y) {
                for (int64_t x = patch.left; x < patch.right; ++x) {
                    float* const pixel = values + layout.at(y, x);
                    for (const Channel* one = patch.channels.data(); one != end; ++one) pixel[one->channel] = one->value;
                }
            }
        }
    }

    const Network& network_;
    const Plan& plan_;
    Workspace& workspace_;
    const int64_t count_;
    std::size_t reached_ = 0;    // the last map that is as it is without a lesion
    std::vector<float> kept_;  // that map, as soon as a lesion begins there
};

}  // namespace

bool lesioned_logits(const Network& network, int threads, const Images& images, int64_t count,
                     const std::vector<Lesion>& lesions, float* logits, Watcher& watcher) {
    const Plan& plan = network.plan();
    const int64_t classes = network.classes();
    const std::vector<Patches> all = arranged(network, plan, lesions);
    Predictor predictor(network, plan, Kept::maps);
    auto work = [&](SliceArrays& arrays, int64_t begin, int64_t end, auto go_on) {
        network.read(plan, arrays.workspace, arrays.batch, predictor.from(images, begin), 0, end - begin);
        Slice slice(network, plan, arrays.workspace, end - begin);
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
        Slice slice(network, plan, arrays.workspace, end - begin);
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
