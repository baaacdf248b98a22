#include "naive_network.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "numbers.hpp"

namespace convscope::test {

namespace {

std::size_t at(int64_t i) { return static_cast<std::size_t>(i); }

// Returns number `index` of the SplitMix64 sequence `start`. Each number adds the constant to the state (see
// numbers.hpp).
uint64_t bits_at(uint64_t start, int64_t index) {
    return Random(start + static_cast<uint64_t>(index) * 0x9e3779b97f4a7c15u).bits();
}

// Returns an image's bytes as the network's input: byte * scale + offset.
Numbers normalise(const Architecture& architecture, const uint8_t* image) {
    Numbers values(at(architecture.input.shape.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] =
            image[i] * static_cast<double>(architecture.input.scale) + static_cast<double>(architecture.input.offset);
    }
    return values;
}

// The forward and backward pass of some images through a network.
class Pass {
   public:
    Pass(const Architecture& architecture, const std::vector<Weights>& weights,
         const std::vector<const uint8_t*>& images, const Training* training, const Ablation& ablation = {})
        : architecture_(architecture), weights_(weights), training_(training) {
        for (const uint8_t* image : images) images_.push_back(normalise(architecture, image));
        for (std::size_t l = 0; l < architecture.layers.size(); ++l) {
            outputs_.push_back(forward(architecture.layers[l], weights[l], reads(l), training != nullptr));
            drop(l, outputs_[l]);
            for (const Replacement& replacement : ablation) {
                if (replacement.layer == l) replace(replacement);
            }
        }
    }

    // Returns the output of a layer, by image.
    const std::vector<Numbers>& output(std::size_t layer) const { return outputs_[layer]; }

    // Computes the gradients with respect to the images (map 0) and to the output of each layer l (map l + 1) from that
    // with respect to the logits, and adds the gradients of the weights to `gradients`.
    std::vector<std::vector<Numbers>> backpropagate(std::vector<Numbers> dlogits,
                                                    std::vector<Weights>& gradients) const {
        std::vector<std::vector<Numbers>> by_map = {images_};
        by_map.insert(by_map.end(), outputs_.begin(), outputs_.end());
        for (std::vector<Numbers>& map : by_map) {
            for (Numbers& image : map) std::fill(image.begin(), image.end(), 0.0);
        }
        by_map.back() = std::move(dlogits);
        for (std::size_t l = outputs_.size(); l-- > 0;) {
            const Layer& layer = architecture_.layers[l];
            std::vector<Numbers> gradient = by_map[l + 1];
            drop(l, gradient);
            gradient = backward(layer, weights_[l], reads(l), training_ != nullptr, std::move(gradient), gradients[l]);
            if (layer.kind == Kind::concatenation) {
                add_to_joined_maps(gradient, layer, by_map[at(layer.earlier + 1)], by_map[l]);
                continue;
            }
            if (layer.kind == Kind::multiplication) {
                add_to_factors(gradient, reads(l), by_map[at(layer.earlier + 1)], by_map[l]);
                continue;
            }
            if (layer.kind != Kind::branch) add(gradient, by_map[l]);
            if (layer.reads_earlier()) add(gradient, by_map[at(layer.earlier + 1)]);
        }
        return by_map;
    }

    // Returns the sum of the cross-entropies, and adds `scale` times its gradients to `gradients` unless it is null.
    double add_gradients(const std::vector<int64_t>& labels, double scale, std::vector<Weights>* gradients) const {
        double loss = 0;
        std::vector<Numbers> gradient = outputs_.back();
        for (std::size_t n = 0; n < labels.size(); ++n) {
            double sum = 0;
            for (double logit : outputs_.back()[n]) sum += std::exp(logit);
            for (double& logit : gradient[n]) logit = std::exp(logit) / sum * scale;
            gradient[n][at(labels[n])] -= scale;
            loss += std::log(sum) - outputs_.back()[n][at(labels[n])];
        }
        if (gradients != nullptr) backpropagate(std::move(gradient), *gradients);
        return loss;
    }

    // Returns the moments of the input of batch normalisation `layer`.
    Moments moments(std::size_t layer) const { return batch_moments(architecture_.layers[layer], reads(layer).input); }

    double distance_from_jumps() const {
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t l = 0; l < outputs_.size(); ++l) {
            const Layer& layer = architecture_.layers[l];
            least = std::min(least, test::distance_from_jumps(layer, weights_[l], reads(l), training_ != nullptr));
        }
        return least;
    }

   private:
    // Adds the gradient of a concatenation to those of its inputs: the first channels of a pixel are the earlier map's.
    void add_to_joined_maps(const std::vector<Numbers>& gradient, const Layer& layer, std::vector<Numbers>& earlier,
                            std::vector<Numbers>& previous) const {
        const std::size_t first = at(shape_of(layer.earlier).channels), all = at(layer.output.channels);
        for (std::size_t n = 0; n < gradient.size(); ++n) {
            for (std::size_t i = 0; i < gradient[n].size(); ++i) {
                const std::size_t pixel = i / all, channel = i % all;
                if (channel < first) {
                    earlier[n][pixel * first + channel] += gradient[n][i];
                } else {
                    previous[n][pixel * (all - first) + channel - first] += gradient[n][i];
                }
            }
        }
    }

    // Adds the gradient of a product to those of its two factors.
    static void add_to_factors(const std::vector<Numbers>& gradient, const Reads& reads, std::vector<Numbers>& earlier,
                               std::vector<Numbers>& previous) {
        for (std::size_t n = 0; n < gradient.size(); ++n) {
            for (std::size_t i = 0; i < gradient[n].size(); ++i) {
                const std::size_t factor = i % reads.input[n].size();
                earlier[n][i] += gradient[n][i] * reads.input[n][factor];
                previous[n][factor] += gradient[n][i] * reads.added[n][i];
            }
        }
    }

    // Returns what layer `l` reads of the images.
    Reads reads(std::size_t l) const {
        Reads reads = {l == 0 ? images_ : outputs_[l - 1], {}};
        const Layer& layer = architecture_.layers[l];
        if (!layer.reads_earlier()) return reads;
        reads.added = layer.earlier < 0 ? images_ : outputs_[at(layer.earlier)];
        if (layer.kind == Kind::branch) reads.input = reads.added;
        for (std::size_t n = 0; layer.kind == Kind::concatenation && n < reads.input.size(); ++n) {
            const std::size_t first = at(shape_of(layer.earlier).channels), all = at(layer.output.channels);
            Numbers joined(at(layer.output.size()));
            for (std::size_t i = 0; i < joined.size(); ++i) {
                const std::size_t pixel = i / all, channel = i % all;
                joined[i] = channel < first ? reads.added[n][pixel * first + channel]
                                            : reads.input[n][pixel * (all - first) + channel - first];
            }
            reads.input[n] = joined;
        }
        return reads;
    }

    Shape shape_of(int64_t layer) const {
        return layer < 0 ? architecture_.input.shape : architecture_.layers[at(layer)].output;
    }

    // Multiplies each number of a dropout layer, or of its gradient, by 0 with probability p = dropped / 2^24, else by
    // 1 / (1 - p). A number is dropped if the upper 24 of its random bits are below `dropped`.
    void drop(std::size_t l, std::vector<Numbers>& images) const {
        const Layer& layer = architecture_.layers[l];
        if (training_ == nullptr || layer.kind != Kind::dropout) return;
        for (std::size_t n = 0; n < images.size(); ++n) {
            const int64_t position = training_->position + static_cast<int64_t>(n);
            Random sequence(bits_at(bits_at(training_->dropout_key, static_cast<int64_t>(l)), position));
            for (double& number : images[n]) {
                const bool kept = static_cast<int64_t>(sequence.bits() >> 40) >= layer.dropped;
                number *= kept ? 1 / (1 - static_cast<double>(layer.dropped) / (1 << 24)) : 0;
            }
        }
    }

    void replace(const Replacement& replacement) {
        const std::size_t channels = at(architecture_.layers[replacement.layer].output.channels);
        for (Numbers& image : outputs_[replacement.layer]) {
            for (std::size_t i = at(replacement.filter); i < image.size(); i += channels) {
                image[i] = static_cast<double>(replacement.value);
            }
        }
    }

    static void add(const std::vector<Numbers>& from, std::vector<Numbers>& to) {
        for (std::size_t n = 0; n < to.size(); ++n) {
            for (std::size_t i = 0; i < to[n].size(); ++i) to[n][i] += from[n][i];
        }
    }

    const Architecture& architecture_;
    const std::vector<Weights>& weights_;
    const Training* training_;
    std::vector<Numbers> images_;
    std::vector<std::vector<Numbers>> outputs_;  // by layer and image
};

}  // namespace

Architecture::Architecture(int64_t height, int64_t width, int64_t channels)
    : input{{height, width, channels}, 1.0f / 255, -0.25f} {}  // bytes become numbers from -0.25 to 0.75

Layer& Architecture::append(Kind kind, Shape output) {
    Layer layer;
    layer.kind = kind;
    layer.input = last();
    layer.output = output;
    layers.push_back(layer);
    return layers.back();
}

Layer& Architecture::append_window(Kind kind, int64_t channels, int64_t rows, int64_t columns, Moves moves) {
    const int64_t in[] = {last().height, last().width}, stride[] = {moves.down, moves.right};
    const int64_t reach[] = {(rows - 1) * moves.row_dilation + 1, (columns - 1) * moves.column_dilation + 1};
    int64_t out[2], padding[] = {0, 0};
    // Keras: "same" gives ceil(in / stride) outputs, and the padding that the last window needs, less of it before.
    for (int axis = 0; axis < 2; ++axis) {
        out[axis] =
            moves.same ? (in[axis] + stride[axis] - 1) / stride[axis] : (in[axis] - reach[axis]) / stride[axis] + 1;
        if (moves.same) {
            padding[axis] = std::max<int64_t>((out[axis] - 1) * stride[axis] + reach[axis] - in[axis], 0) / 2;
        }
    }
    Layer& layer = append(kind, {out[0], out[1], channels});
    layer.window = {rows, columns};
    layer.stride = {stride[0], stride[1]};
    layer.padding = {padding[0], padding[1]};
    layer.dilation = {moves.row_dilation, moves.column_dilation};
    layer.groups = moves.groups;
    return layer;
}

Architecture& Architecture::convolution(int64_t filters, int64_t rows, int64_t columns, bool relu, Moves moves) {
    append_window(Kind::convolution, filters, rows, columns, moves).relu = relu;
    return *this;
}

Architecture& Architecture::depthwise(int64_t multiplier, int64_t rows, int64_t columns, bool relu, Moves moves) {
    append_window(Kind::depthwise, multiplier * last().channels, rows, columns, moves).relu = relu;
    return *this;
}

Architecture& Architecture::max_pooling(int64_t rows, int64_t columns, Moves moves) {
    append_window(Kind::max_pooling, last().channels, rows, columns, moves);
    return *this;
}

Architecture& Architecture::average_pooling(int64_t rows, int64_t columns, Moves moves) {
    append_window(Kind::average_pooling, last().channels, rows, columns, moves);
    return *this;
}

Architecture& Architecture::dropout(double chance) {
    append(Kind::dropout, last()).dropped = std::llround(chance * (1 << 24));
    return *this;
}

Architecture& Architecture::normalization(bool relu) {
    Layer& layer = append(Kind::normalization, last());
    layer.relu = relu;
    layer.momentum = 0.9;
    layer.epsilon = 1e-3;
    return *this;
}

Architecture& Architecture::addition(int64_t earlier, bool relu) {
    assert(earlier < 0 || layers[at(earlier)].output.size() == last().size());
    Layer& layer = append(Kind::addition, last());
    layer.earlier = earlier;
    layer.relu = relu;
    return *this;
}

Architecture& Architecture::group_normalization(int64_t groups) {
    Layer& layer = append(groups == 0 ? Kind::layer_normalization : Kind::group_normalization, last());
    layer.groups = std::max<int64_t>(groups, 1);
    layer.epsilon = 0.1;  // a small one would multiply the rounding errors of sets of small variance
    return *this;
}

Architecture& Architecture::multiplication(int64_t earlier) {
    const Shape shape = earlier < 0 ? input.shape : layers[at(earlier)].output;
    Layer& layer = append(Kind::multiplication, shape);
    layer.input = shape;
    layer.earlier = earlier;
    return *this;
}

Architecture& Architecture::branch(int64_t earlier) {
    const Shape shape = earlier < 0 ? input.shape : layers[at(earlier)].output;
    Layer& layer = append(Kind::branch, shape);
    layer.input = shape;
    layer.earlier = earlier;
    return *this;
}

Architecture& Architecture::concatenation(int64_t earlier) {
    Shape shape = last();
    shape.channels += (earlier < 0 ? input.shape : layers[at(earlier)].output).channels;
    Layer& layer = append(Kind::concatenation, shape);
    layer.input = shape;
    layer.earlier = earlier;
    return *this;
}

Architecture& Architecture::soft_voting(int64_t members) {
    append(Kind::soft_voting, {1, 1, last().size() / members});
    return *this;
}

Architecture& Architecture::zero_padding(int64_t above, int64_t below, int64_t left, int64_t right) {
    const Shape inner = last();
    const Shape padded = {above + inner.height + below, left + inner.width + right, inner.channels};
    append(Kind::zero_padding, padded).padding = {above, left};
    return *this;
}

Architecture& Architecture::activation(Activation activation, float slope) {
    Layer& layer = append(Kind::activation, last());
    layer.activation = activation;
    layer.slope = slope;
    return *this;
}

Architecture& Architecture::prelu() {
    append(Kind::prelu, last()).has_bias = false;
    return *this;
}

Architecture& Architecture::activated(Activation activation) {
    layers.back().activation = activation;
    return *this;
}

Architecture& Architecture::flatten() {
    append(Kind::flatten, {1, 1, last().size()});
    return *this;
}

Architecture& Architecture::dense(int64_t units, bool relu) {
    append(Kind::dense, {1, 1, units}).relu = relu;
    return *this;
}

std::vector<Numbers> outputs(const Architecture& architecture, const std::vector<Weights>& weights,
                             const uint8_t* image, const Ablation& ablation) {
    const Pass pass(architecture, weights, {image}, nullptr, ablation);
    std::vector<Numbers> outputs;
    for (std::size_t l = 0; l < architecture.layers.size(); ++l) outputs.push_back(pass.output(l)[0]);
    return outputs;
}

std::vector<Numbers> layer_gradients(const Architecture& architecture, const std::vector<Weights>& weights,
                                     const uint8_t* image, const Numbers& dlogits) {
    std::vector<Weights> unused = zeros_like(weights);
    std::vector<Numbers> gradients;
    const Pass pass(architecture, weights, {image}, nullptr);
    for (const std::vector<Numbers>& map : pass.backpropagate({dlogits}, unused)) gradients.push_back(map[0]);
    return gradients;
}

double add_gradients(const Architecture& architecture, const std::vector<Weights>& weights,
                     const std::vector<const uint8_t*>& images, const std::vector<int64_t>& labels, double scale,
                     std::vector<Weights>* gradients, const Training* training) {
    return Pass(architecture, weights, images, training).add_gradients(labels, scale, gradients);
}

DescentResult train_naively(const Architecture& architecture, std::vector<Weights>& weights,
                            const std::vector<const uint8_t*>& images, const std::vector<int64_t>& labels,
                            int64_t batch_size, double rate, uint64_t dropout_key, double min_distance) {
    DescentResult result;
    for (std::size_t begin = 0; begin < images.size(); begin += at(batch_size)) {
        const auto from = static_cast<std::ptrdiff_t>(begin);
        const auto to = static_cast<std::ptrdiff_t>(std::min(begin + at(batch_size), images.size()));
        const std::vector<const uint8_t*> part(images.begin() + from, images.begin() + to);
        const std::vector<int64_t> part_labels(labels.begin() + from, labels.begin() + to);
        const Training training = {dropout_key, static_cast<int64_t>(begin)};
        const Pass pass(architecture, weights, part, &training);
        result.distance_from_jumps = std::min(result.distance_from_jumps, pass.distance_from_jumps());
        if (result.distance_from_jumps < min_distance) return result;
        std::vector<Weights> gradients = zeros_like(weights);
        result.loss += pass.add_gradients(part_labels, 1 / static_cast<double>(part.size()), &gradients);
        for (std::size_t l = 0; l < weights.size(); ++l) {
            Weights& layer = weights[l];
            for (std::size_t i = 0; i < layer.kernel.size(); ++i) layer.kernel[i] -= rate * gradients[l].kernel[i];
            for (std::size_t i = 0; i < layer.bias.size(); ++i) layer.bias[i] -= rate * gradients[l].bias[i];
            if (architecture.layers[l].kind != Kind::normalization) continue;
            const Moments moments = pass.moments(l);
            const double kept = architecture.layers[l].momentum;
            for (std::size_t c = 0; c < moments.means.size(); ++c) {
                double &mean = layer.moving_means[c], &variance = layer.moving_variances[c];
                mean = kept * mean + (1 - kept) * moments.means[c];
                variance = kept * variance + (1 - kept) * moments.variances[c];
            }
        }
    }
    return result;
}

std::vector<Weights> zeros_like(const std::vector<Weights>& weights) {
    std::vector<Weights> zeros;
    for (const Weights& layer : weights) zeros.push_back({Numbers(layer.kernel.size()), Numbers(layer.bias.size())});
    return zeros;
}

}  // namespace convscope::test
