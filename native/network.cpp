#include "network.hpp"

#include <algorithm>
#include <cassert>

#include "dropout.hpp"

namespace convscope {

namespace {

constexpr int64_t most_prefetched = 4096;  // bytes of the next image

}  // namespace

Network::Network(const Input& input, const std::vector<Layer>& layers, const Kernels& kernels)
    : input_(input), layers_(layers), kernels_(kernels) {
    for (const Layer& layer : layers_) {
        parameters_.push_back(layer.has_weights() ? std::make_unique<Parameters>(layer, kernels) : nullptr);
        parameter_pointers_.push_back(parameters_.back().get());
    }
    plan_ = std::make_unique<Plan>(layers_, input_, parameter_pointers_, kernels_, true);
}

Plan Network::full_plan() const { return Plan(layers_, input_, parameter_pointers_, kernels_, false); }

Workspace Network::make_workspace(const Plan& plan, bool training) const {
    Workspace workspace;
    workspace.values.resize(plan.maps.size());
    int64_t filters = 0;
    for (std::size_t i = 0; i < plan.maps.size(); ++i) {
        Workspace::Values& values = workspace.values[i];
        values.stride = round_up(plan.maps[i].value.size(), 16);
        // The last map is written straight into the batch.
        if (i + 1 < plan.maps.size()) values.buffer = make_buffer<float>(slice_images * values.stride);
        values.first = values.buffer.data();
        workspace.gradients.push_back(make_buffer<float>(training ? plan.maps[i].gradient.size() : 0));
        filters = std::max(filters, plan.maps[i].value.shape.channels);
    }
    for (const auto& layer : plan.map_layers) {
        workspace.winners.push_back(make_buffer<int32_t>(slice_images * layer->winners_size()));
        workspace.forward_scratch.push_back(make_buffer<float>(layer->forward_scratch_size()));
        workspace.scratch.push_back(make_buffer<float>(training ? layer->scratch_size() : 0));
    }
    workspace.image = make_buffer<uint8_t>(training ? input_.shape.size() : 0);
    workspace.offsets = make_buffer<int64_t>(winners_block);
    workspace.list_values = make_buffer<float>(winners_block);
    workspace.list = make_buffer<int32_t>(4 * filters);
    return workspace;
}

Batch Network::make_batch(const Plan& plan, int64_t images, int64_t shards, bool training) const {
    Batch batch;
    for (std::size_t i = 0; i <= plan.dense.size(); ++i) {
        const int64_t numbers = i == 0 ? plan.features : plan.dense[i - 1].outputs;
        int64_t stride = round_up(numbers, kernels_.panel_width);
        if (stride % 512 == 0) stride += 16;  // rows a power of two apart would fall on the same cache lines
        batch.strides.push_back(stride);
        batch.values.push_back(make_buffer<float>(images * stride));
        if (training) batch.gradients.push_back(make_buffer<float>(images * stride));
    }
    if (training) {
        batch.losses.resize(static_cast<std::size_t>(images));
        batch.correct.resize(static_cast<std::size_t>(images));
        for (int64_t s = 0; s < shards; ++s) batch.shards.push_back(make_buffer<float>(plan.gradient_offsets.back()));
    }
    return batch;
}

void Network::forward(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin,
                      int64_t end) const {
    workspace.chance = images.chance;
    workspace.chance.first += begin;
    Workspace::Values& last = workspace.values.back();
    last.stride = batch.strides[0];
    last.first = batch.values[0].data() + begin * last.stride;

    const Layout& layout = plan.maps[0].value;
    const int64_t row_bytes = input_.shape.width * input_.shape.channels;
    const int64_t image_bytes = input_.shape.height * row_bytes;
    for (int64_t i = 0; i < end - begin; ++i) {
        const uint8_t* bytes = images.bytes + images.index(begin + i) * image_bytes;
        if (i + 1 < end - begin) {  // in a shuffled order the processor cannot guess where the next one lies
            const uint8_t* next = images.bytes + images.index(begin + i + 1) * image_bytes;
            for (int64_t at = 0; at < std::min(image_bytes, most_prefetched); at += 64) __builtin_prefetch(next + at);
        }
        if (images.augmentation != nullptr) {
            augment(*images.augmentation, input_.shape, workspace.chance.first + i, bytes, workspace.image.data());
            bytes = workspace.image.data();
        }
        float* map = workspace.values[0].image(i) + layout.at(0, 0);
        kernels_.normalise(bytes, input_.shape.height, row_bytes, input_.scale, input_.offset, map, layout.row());
        for (const auto& layer : plan.map_layers) layer->forward(workspace, i);
    }

    int64_t reads[slice_images], writes[slice_images];
    for (std::size_t l = 0; l < plan.dense.size(); ++l) {
        if (plan.dense[l].parameters == nullptr) {
            for (int64_t i = begin; i < end; ++i) {
                pass(plan.dense[l], images.chance, i, batch.values[l].data() + i * batch.strides[l],
                     batch.values[l + 1].data() + i * batch.strides[l + 1]);
            }
            continue;
        }
        const Parameters& parameters = *plan.dense[l].parameters;
        for (int64_t i = 0; i < slice_images; ++i) {
            reads[i] = i * batch.strides[l];
            writes[i] = i * batch.strides[l + 1];
        }
        Product p;
        p.a = batch.values[l].data() + begin * batch.strides[l];
        p.a_rows = reads;
        p.b_step = kernels_.panel_width;
        p.length = parameters.inputs();
        p.rows = end - begin;
        p.columns = kernels_.panel_width;
        p.c_rows = writes;
        p.finish = plan.dense[l].relu ? Finish::bias_relu : Finish::bias;
        for (int64_t panel = 0; panel < parameters.panels(); ++panel) {
            p.b = parameters.panel(panel);
            p.bias = parameters.bias(panel);
            p.c = batch.values[l + 1].data() + begin * batch.strides[l + 1] + panel * kernels_.panel_width;
            kernels_.multiply(p);
        }
    }
}

void Network::pass(const DenseLayer& layer, const Chance& chance, int64_t image, const float* x, float* y) const {
    if (layer.activation != Activation::none) {
        kernels_.activate(layer.activation, x, layer.outputs, y);
    } else if (chance.drops) {
        kernels_.dropout(dropout_start(chance.key, layer.layer, chance.first + image), 0, layer.dropped, x, layer.outputs, y);
    } else {
        std::copy(x, x + layer.outputs, y);
    }
}

void Network::pass_backward(const DenseLayer& layer, const Chance& chance, int64_t image, const float* x,
                            const float* dy, float* dx) const {
    if (layer.activation != Activation::none) {
        kernels_.activate_backward(layer.activation, x, dy, layer.outputs, dx);
        return;
    }
    pass(layer, chance, image, dy, dx);
    if (!layer.after_relu) return;
    for (int64_t i = 0; i < layer.outputs; ++i) dx[i] = x[i] > 0 ? dx[i] : 0.0f;
}

void Network::backward(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin,
                       int64_t end, const Loss& loss, float scale, float* shard) const {
    const std::size_t depth = plan.dense.size();
    for (int64_t i = begin; i < end; ++i) {
        bool correct = false;
        const int64_t label = images.labels[images.index(i)];
        const float weight = loss.class_weights.empty() ? 1 : loss.class_weights[static_cast<std::size_t>(label)];
        batch.losses[static_cast<std::size_t>(i)] =
            static_cast<double>(weight) *
            kernels_.cross_entropy(batch.values[depth].data() + i * batch.strides[depth], classes(), label,
                                   loss.smoothing, scale * weight,
                                   batch.gradients[depth].data() + i * batch.strides[depth], &correct);
        batch.correct[static_cast<std::size_t>(i)] = correct;
    }

    const bool maps_trained = plan.first_trained < plan.map_layers.size();
    int64_t reads[slice_images], writes[slice_images];
    for (std::size_t l = depth; l-- > (maps_trained ? 0u : 1u);) {
        if (plan.dense[l].parameters == nullptr) {
            for (int64_t i = begin; i < end; ++i) {
                pass_backward(plan.dense[l], images.chance, i, batch.values[l].data() + i * batch.strides[l],
                              batch.gradients[l + 1].data() + i * batch.strides[l + 1],
                              batch.gradients[l].data() + i * batch.strides[l]);
            }
            continue;
        }
        const Parameters& parameters = *plan.dense[l].parameters;
        for (int64_t i = 0; i < slice_images; ++i) {
            reads[i] = i * batch.strides[l + 1];
            writes[i] = i * batch.strides[l];
        }
        Product p;
        p.a = batch.gradients[l + 1].data() + begin * batch.strides[l + 1];
        p.a_rows = reads;
        p.b_step = kernels_.panel_width;
        p.length = parameters.filters();
        p.rows = end - begin;
        p.columns = kernels_.panel_width;
        p.c_rows = writes;
        p.mask_rows = writes;
        p.finish = l > 0 && plan.dense[l].after_relu ? Finish::store_where_positive : Finish::store;
        for (int64_t panel = 0; panel < parameters.turned_panels(); ++panel) {
            const int64_t first = begin * batch.strides[l] + panel * kernels_.panel_width;
            p.b = parameters.turned_panel(panel);
            p.c = batch.gradients[l].data() + first;
            p.mask = batch.values[l].data() + first;
            kernels_.multiply(p);
        }
    }
    if (!maps_trained) return;

    const Layout& layout = plan.maps.back().gradient;
    const Shape shape = layout.shape;
    for (int64_t i = 0; i < end - begin; ++i) {
        const float* gradient = batch.gradients[0].data() + (begin + i) * batch.strides[0];
        const float* mask = plan.maps.back().relu ? workspace.values.back().image(i) : nullptr;
        for (int64_t y = 0; y < shape.height; ++y) {
            for (int64_t x = 0; x < shape.width; ++x) {
                const int64_t pixel = (y * shape.width + x) * shape.channels;
                kernels_.copy_where_positive(workspace.gradients.back().data() + layout.at(y, x), gradient + pixel,
                                             mask ? mask + pixel : nullptr, shape.channels);
            }
        }
        for (std::size_t layer = plan.map_layers.size(); layer-- > plan.first_trained;) {
            plan.map_layers[layer]->backward(workspace, i, shard + plan.gradient_offsets[layer]);
        }
    }
}

void Network::read_layer(const Plan& plan, const Workspace& workspace, const Batch& batch, std::size_t layer,
                         int64_t i, float* output) const {
    const int map = plan.map_of_layer[layer], vector = plan.vector_of_layer[layer];
    if (vector >= 0) {
        const auto v = static_cast<std::size_t>(vector);
        const float* from = batch.values[v].data() + i * batch.strides[v];
        std::copy(from, from + layers_[layer].output.size(), output);
        return;
    }
    assert(map >= 0);
    const Layout& layout = plan.maps[static_cast<std::size_t>(map)].value;
    const float* from = workspace.values[static_cast<std::size_t>(map)].image(i);
    const int64_t row = layout.shape.width * layout.shape.channels;
    for (int64_t y = 0; y < layout.shape.height; ++y) {
        std::copy(from + layout.at(y, 0), from + layout.at(y, 0) + row, output + y * row);
    }
}

}  // namespace convscope
