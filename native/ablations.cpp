// Maps are numbered as in Plan: step m reads map m (a joining step an earlier map too) and writes map m + 1. Map 0 is
// the image, and map steps.size() are the logits.
//
// `arrange` turns ablations into patches of maps, in the order of the first map that each replaces. A thread then
// computes a slice of images from map to map: up to the next replaced map once for all ablations (`whole`), and from
// there to the logits for each ablation that begins there (`lanes`). `Slice` does this for all ablations that begin at
// one map.
#include "ablations.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "ablation_sums.hpp"

namespace convscope {

namespace {

// Replacements in a map of a plan: some channels of the pixels in a box. The later of two values for a channel counts.
struct Patch {
    std::size_t map = 0;
    int64_t top = 0, bottom = 0, left = 0, right = 0;
    std::vector<ConstantChannel> channels;

    bool same_pixels(const Patch& patch) const {
        return map == patch.map && top == patch.top && bottom == patch.bottom && left == patch.left && right == patch.right;
    }
};

// An ablation as patches of the plan's maps. Before `first_map` it changes nothing.
struct PatchedAblation {
    std::size_t number = 0;      // index among the caller's ablations
    std::vector<Patch> patches;  // in the order of their maps
    std::size_t first_map = 0;   // the first replaced map; the logits if nothing is replaced
    bool by_sums = false;        // whether the layer that reads this map is computed from its channel sums
};

// Returns a replacement as a patch of the plan's map.
Patch make_patch(const Network& network, const Plan& plan, const Replacement& replacement) {
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

// Sorts replacements by layer.
Ablation by_layer(Ablation ablation) {
    std::stable_sort(ablation.begin(), ablation.end(),
                     [](const Replacement& a, const Replacement& b) { return a.layer < b.layer; });
    return ablation;
}

// Whether the ablation replaces whole channels of its first map and nothing else there, and the map's reader can be
// computed from sums. (Single units of a flatten are no whole channels.) Then the replaced map itself is never written:
// no step but the reader needs it, since find_readers gives no sums to a map that a second step reads.
bool is_by_sums(const Plan& plan, const Reader& reader, const PatchedAblation& ablation) {
    if (reader.sums == nullptr || ablation.patches.empty()) return false;
    const Shape shape = plan.maps[ablation.first_map].value.shape;
    const Patch& first = ablation.patches.front();
    const bool is_only_one = ablation.patches.size() == 1 || ablation.patches[1].map != ablation.first_map;
    return is_only_one && first.top == 0 && first.bottom == shape.height && first.left == 0 && first.right == shape.width;
}

// Sorts constants by channel, and keeps the last of each. Only sums need this: their formula would take a channel's
// part away twice. In a map, the later value overwrites the first.
std::vector<ConstantChannel> keep_last_values(std::vector<ConstantChannel> channels) {
    std::stable_sort(channels.begin(), channels.end(),
                     [](const ConstantChannel& a, const ConstantChannel& b) { return a.index < b.index; });
    std::vector<ConstantChannel> kept;
    for (const ConstantChannel& channel : channels) {
        if (!kept.empty() && kept.back().index == channel.index) kept.pop_back();
        kept.push_back(channel);
    }
    return kept;
}

// Turns ablations into patches, sorted by `first_map` and `by_sums`. If two layers of an ablation share a map, the
// later layer's replacement counts, as if each layer had a map.
std::vector<PatchedAblation> arrange(const Network& network, const Plan& plan, std::vector<Reader>& readers,
                                     const std::vector<Ablation>& ablations) {
    std::vector<PatchedAblation> arranged;
    for (const Ablation& ablation : ablations) {
        PatchedAblation patched;
        patched.number = arranged.size();
        for (const Replacement& replacement : by_layer(ablation)) {
            Patch next = make_patch(network, plan, replacement);
            if (!patched.patches.empty() && patched.patches.back().same_pixels(next)) {
                patched.patches.back().channels.push_back(next.channels.front());
            } else {
                patched.patches.push_back(std::move(next));
            }
        }
        patched.first_map = patched.patches.empty() ? plan.steps.size() : patched.patches.front().map;
        Reader& reader = readers[patched.first_map];
        patched.by_sums = is_by_sums(plan, reader, patched);
        if (patched.by_sums) {
            reader.compute_ones();
            patched.patches.front().channels = keep_last_values(std::move(patched.patches.front().channels));
        }
        arranged.push_back(std::move(patched));
    }
    std::stable_sort(arranged.begin(), arranged.end(), [](const PatchedAblation& a, const PatchedAblation& b) {
        return std::pair(a.first_map, a.by_sums) < std::pair(b.first_map, b.by_sums);
    });
    return arranged;
}

// Makes a patch's replacements in an image's map.
void apply(const Plan& plan, const Patch& patch, Workspace& workspace, int64_t image) {
    const Layout& layout = plan.maps[patch.map].value;
    float* const values = workspace.values[patch.map].image(image);
    for (int64_t y = patch.top; y < patch.bottom; ++y) {
        for (int64_t x = patch.left; x < patch.right; ++x) {
            float* const pixel = values + layout.at(y, x);
            for (const ConstantChannel& channel : patch.channels) pixel[channel.index] = channel.value;
        }
    }
}

// Computes ablations of a slice's images. The workspace `whole` holds the images without ablation. Each pair of an
// image and an ablation takes a lane, the memory of one image in the workspace `lanes`. Images 0 and 1 with the
// ablations A, B and C:
//
//     lane    0    1    2    3    4    5   ...  slice_images - 1
//     pair   0 A  0 B  0 C  1 A  1 B  1 C
//
// When the lanes are full, all are computed together from the first replaced map to the logits. So the dense layers
// have full tiles even with few images or few ablations. The pairs of an image are neighbours: its sums stay in cache.
class Slice {
   public:
    // `whole` has read images [0, count).
    Slice(const Network& network, const Plan& plan, const std::vector<Reader>& readers, Workspace& whole, Workspace& lanes,
          int64_t count)
        : network_(network), plan_(plan), readers_(readers), whole_(whole), lanes_(lanes), count_(count) {}

    // Computes the logits with ablations [begin, end) and calls take(ablation, image, logits) for each. They have the
    // same `first_map` and `by_sums`, and the map is not before that of the last call. Stops if go_on() is false.
    template <class Take, class GoOn>
    void compute(const PatchedAblation* begin, const PatchedAblation* end, Take take, GoOn go_on) {
        const std::size_t first = begin->first_map;
        network_.forward_read(plan_, {reached_, first}, whole_, count_);
        reached_ = first;
        std::optional<SliceSums> sums;
        if (begin->by_sums) sums.emplace(network_.kernels(), readers_[first], whole_);
        set_start(first + (begin->by_sums ? 1 : 0));
        const int64_t at_once = sums ? sums->at_once() : count_;
        for (int64_t image = 0; image < count_; ++image) {
            if (sums && image % at_once == 0) sums->take(image, std::min(image + at_once, count_));
            for (const PatchedAblation* ablation = begin; ablation != end; ++ablation) {
                enter(*ablation, image, sums);
                if (static_cast<int64_t>(pairs_.size()) < slice_images) continue;
                finish(take);
                if (!go_on()) return;
            }
        }
        if (pairs_.empty()) return;
        finish(take);
        go_on();
    }

   private:
    struct Pair {
        const PatchedAblation* ablation;
        int64_t image;
        std::vector<Patch>::const_iterator next;  // the first patch that is not applied yet
    };

    // Sets the map from which the lanes go together, and finds the earlier maps that joining layers after it read.
    void set_start(std::size_t start) {
        start_ = start;
        needed_.clear();
        for (std::size_t step = start; step < plan_.steps.size(); ++step) {
            const Extents extents = plan_.steps[step].computes->extents();
            if (extents.reads_earlier.end > 0 && extents.earlier < start) needed_.push_back(extents.earlier);
        }
    }

    // Gives the pair the next lane and computes it up to map `start_`, from which all lanes go on together. If a filter
    // of map 2 is replaced:
    //     without sums                the lane gets a copy of map 2, patched                       start_ = 2
    //     with sums                   SliceSums computes map 3 in the lane; map 2 is not needed    start_ = 3
    //     with too inaccurate ones    map 2 is copied and patched, and step 2 run for this lane    start_ = 3
    void enter(const PatchedAblation& ablation, int64_t image, std::optional<SliceSums>& sums) {
        const auto lane = static_cast<int64_t>(pairs_.size());
        pairs_.push_back({&ablation, image, ablation.patches.begin()});
        for (std::size_t map : needed_) copy(map, image, lane);
        Pair& pair = pairs_.back();
        if (sums && sums->replace(pair.next->channels, image, lanes_, lane)) {
            ++pair.next;
        } else {
            copy(reached_, image, lane);
            patch_at(reached_, lane);
            if (sums) plan_.steps[reached_].computes->forward(lanes_, lane, lane + 1);
        }
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
            take(pair.ablation->number, pair.image, lanes_.values.back().image(lane));
        }
        pairs_.clear();
    }

    // Applies the patches of a lane's ablation in `map`.
    void patch_at(std::size_t map, int64_t lane) {
        Pair& pair = pairs_[static_cast<std::size_t>(lane)];
        const auto last = pair.ablation->patches.end();
        for (; pair.next != last && pair.next->map == map; ++pair.next) apply(plan_, *pair.next, lanes_, lane);
    }

    void copy(std::size_t map, int64_t image, int64_t lane) const {
        std::copy_n(whole_.values[map].image(image), plan_.maps[map].value.size(), lanes_.values[map].image(lane));
    }

    const Network& network_;
    const Plan& plan_;
    const std::vector<Reader>& readers_;
    Workspace &whole_, &lanes_;
    const int64_t count_;
    std::size_t reached_ = 0;          // the last map computed in `whole`
    std::size_t start_ = 0;            // the map from which all lanes are computed together
    std::vector<std::size_t> needed_;  // earlier maps that joining steps from start_ on read: a lane has copies
    std::vector<Pair> pairs_;          // by lane, in use: at most slice_images
};

}  // namespace

bool ablation_logits(const Network& network, int threads, const Images& images, int64_t count,
                     const std::vector<Ablation>& ablations, float* logits, Watcher& watcher) {
    const Plan& plan = network.plan();
    const int64_t classes = network.classes();
    std::vector<Reader> readers = find_readers(plan);
    const std::vector<PatchedAblation> all = arrange(network, plan, readers, ablations);
    Predictor predictor(network, plan, Kept::maps);
    auto work = [&](SliceArrays& arrays, int64_t begin, int64_t end, auto go_on) {
        SliceArrays& lanes = predictor.second(arrays);
        network.read(plan, arrays.workspace, arrays.batch, predictor.from(images, begin), 0, end - begin);
        network.read(plan, lanes.workspace, lanes.batch, images, 0, 0);  // no image: only Network::bind
        Slice slice(network, plan, readers, arrays.workspace, lanes.workspace, end - begin);
        const auto take = [&](std::size_t ablation, int64_t image, const float* values) {
            std::copy(values, values + classes, logits + (static_cast<int64_t>(ablation) * count + begin + image) * classes);
        };
        bool goes_on = true;
        for (auto first = all.begin(), last = first; first != all.end() && goes_on; first = last) {
            last = std::find_if(first, all.end(), [&](const PatchedAblation& ablation) {
                return ablation.first_map != first->first_map || ablation.by_sums != first->by_sums;
            });
            slice.compute(&*first, &*first + (last - first), take, [&] { return goes_on = go_on(); });
        }
    };
    return predictor.for_slices(threads, count, work, watcher);
}

// Reads each layer's output before the next layer's replacements: a flatten shares the map of the layer before it.
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
                const Patch change = make_patch(network, plan, *replacement);
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
