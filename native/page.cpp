// The engine's functions for the page. JavaScript calls them with numbers and with pointers into WebAssembly's memory.
// There is one thread and there are no exceptions; web/src/engine has checked the arguments.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "ablations.hpp"
#include "handwriting/preparation.hpp"
#include "layer_gradients.hpp"
#include "page_fields.hpp"
#include "page_gradients.hpp"
#include "prediction.hpp"

#define CONVSCOPE_PAGE(name) extern "C" __attribute__((export_name(#name)))

// Without memory the module traps, and JavaScript reports it. The library's operator new prints, which links half a C
// library.
void* operator new(std::size_t size) {
    void* memory = std::malloc(size > 0 ? size : 1);
    if (memory == nullptr) __builtin_trap();
    return memory;
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    const auto bytes = static_cast<std::size_t>(alignment);
    if (size > SIZE_MAX - bytes) __builtin_trap();
    void* memory = std::aligned_alloc(bytes, (size + bytes - 1) / bytes * bytes);
    if (memory == nullptr) __builtin_trap();
    return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void std::__libcpp_verbose_abort(const char*, ...) { __builtin_trap(); }
extern "C" void __cxa_pure_virtual() { __builtin_trap(); }

namespace convscope {
namespace {

struct PlainScore { double images, loss, correct; };

std::vector<Layer> read_layers(const double* from, int32_t count) {
    std::vector<Layer> layers;
    for (int32_t i = 0; i < count; ++i) layers.push_back(read<Layer>(from));
    return layers;
}

Settings read_settings(const double* from) {
    const Optimizer optimizer = read<Optimizer>(from);
    const Loss loss = read<Loss>(from);
    const Augmentation augmentation = read<Augmentation>(from);
    Settings settings = read<Settings>(from);
    settings.optimizer = optimizer;
    settings.loss = loss;
    settings.augmentation = augmentation;
    constexpr uint64_t no_position = 0xffffffff;  // a position that no image of an epoch has
    settings.dropout_key = random_bits(augmentation.key, no_position, 0);
    return settings;
}

Images in_order(const uint8_t* bytes) { return {bytes, nullptr, nullptr, {}}; }

// Makes an ablation of entries [begin, end) of three arrays: the layer, its filter, and the value that replaces it.
Ablation ablation(const int32_t* layers, const int32_t* filters, const float* values, int32_t begin, int32_t end) {
    Ablation ablation;
    for (int32_t i = begin; i < end; ++i) ablation.push_back({static_cast<std::size_t>(layers[i]), filters[i], values[i]});
    return ablation;
}

// A network and the arrays that it keeps from call to call.
struct Session {
    Session(const double* input, const double* layers, int32_t count)
        : network(read<Input>(input), read_layers(layers, count), *usable_kernels().front()),
          outputs(network, Purpose::outputs, Kept::maps),
          logits(network, network.plan(), Kept::logits) {}

    Network network;
    PlannedPredictor outputs;
    Predictor logits;
    std::unique_ptr<LayerGradients> gradients;
    std::unique_ptr<Trainer> trainer;  // made by the first call of network_train
    int32_t batch_size = 0;            // of the trainer
    int64_t steps = 0;                 // of the optimizer so far
};

// Writes the address of a picture's pixels, its height, width and channels; returns the end.
double* write_picture(const handwriting::Picture& picture, double* into) {
    *into++ = static_cast<double>(reinterpret_cast<uintptr_t>(picture.at(0)));
    for (const int64_t size : {picture.height, picture.width, picture.channels}) *into++ = static_cast<double>(size);
    return into;
}

struct TrainingData {
    TrainingData(int32_t count, int32_t image_bytes)
        : images(static_cast<std::size_t>(count) * static_cast<std::size_t>(image_bytes)), labels(static_cast<std::size_t>(count)) {}

    std::vector<uint8_t> images;
    std::vector<int64_t> labels;
};

}  // namespace

CONVSCOPE_PAGE(allocate) void* allocate(std::size_t bytes) { return ::operator new(bytes); }
CONVSCOPE_PAGE(release) void release(void* memory) { ::operator delete(memory); }

// The names and sizes of the fields of `input`, of each of `layers` and of `settings` below: arrays of doubles that
// JavaScript writes in this order; see page_fields.hpp.
CONVSCOPE_PAGE(input_fields) const char* input_fields() { return fields<Input>(); }
CONVSCOPE_PAGE(layer_fields) const char* layer_fields() { return fields<Layer>(); }
CONVSCOPE_PAGE(settings_fields) const char* settings_fields() { return fields<Optimizer, Loss, Augmentation, Settings>(); }

CONVSCOPE_PAGE(network_make) Session* network_make(const double* input, const double* layers, int32_t count) {
    return new Session(input, layers, count);
}
CONVSCOPE_PAGE(network_free) void network_free(Session* session) { delete session; }

// Write or read a layer's weights in Keras layout. A layer without a bias has a bias of zeros here.
CONVSCOPE_PAGE(network_write)
void network_write(Session* session, int32_t layer, const float* kernel, const float* bias) {
    session->network.parameters(static_cast<std::size_t>(layer))->write(Parameters::weights, kernel, bias);
}
CONVSCOPE_PAGE(network_read) void network_read(Session* session, int32_t layer, float* kernel, float* bias) {
    session->network.parameters(static_cast<std::size_t>(layer))->read(Parameters::weights, kernel, bias);
}

CONVSCOPE_PAGE(network_write_moving)
void network_write_moving(Session* session, int32_t layer, const float* means, const float* variances, int32_t count) {
    MovingStatistics& moving = *session->network.moving(static_cast<std::size_t>(layer));
    std::copy_n(means, count, moving.means.begin());
    std::copy_n(variances, count, moving.variances.begin());
}

CONVSCOPE_PAGE(network_read_moving)
void network_read_moving(Session* session, int32_t layer, float* means, float* variances, int32_t count) {
    const MovingStatistics& moving = *session->network.moving(static_cast<std::size_t>(layer));
    std::copy_n(moving.means.begin(), count, means);
    std::copy_n(moving.variances.begin(), count, variances);
}

// Writes the logits of `count` images, (count, classes).
CONVSCOPE_PAGE(network_logits)
void network_logits(Session* session, const uint8_t* images, int32_t count, float* logits) {
    const int64_t classes = session->network.classes();
    NeverStop watcher;
    const auto take = [&](const Workspace& workspace, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            std::copy_n(workspace.values.back().image(i - begin), classes, logits + i * classes);
        }
    };
    session->logits.predict(1, in_order(images), count, take, watcher);
}

// Writes the outputs of all layers one after another, each (count, size of the output), with the ablation that
// `layers`, `filters` and `values` list, `replacements` entries each.
CONVSCOPE_PAGE(network_outputs)
void network_outputs(Session* session, const uint8_t* images, int32_t count, const int32_t* layers, const int32_t* filters,
                     const float* values, int32_t replacements, float* outputs) {
    std::vector<float*> pointers;
    for (const Layer& layer : session->network.layers()) {
        pointers.push_back(outputs);
        outputs += count * layer.output.size();
    }
    NeverStop watcher;
    ablated_outputs(session->network, session->outputs, 1, in_order(images), count,
                     ablation(layers, filters, values, 0, replacements), pointers, watcher);
}

// Writes logits, (ablations, count, classes). Ablation i makes the replacements [ends[i - 1], ends[i]).
CONVSCOPE_PAGE(network_ablation_logits)
void network_ablation_logits(Session* session, const uint8_t* images, int32_t count, const int32_t* ends, int32_t ablations,
                             const int32_t* layers, const int32_t* filters, const float* values, float* logits) {
    std::vector<Ablation> all;
    for (int32_t i = 0; i < ablations; ++i) {
        all.push_back(ablation(layers, filters, values, i == 0 ? 0 : ends[i - 1], ends[i]));
    }
    NeverStop watcher;
    ablation_logits(session->network, 1, in_order(images), count, all, logits, watcher);
}

// Writes the gradients of sum_k dlogits[i, k] logits[i, k] with respect to the outputs of `wanted` layers, one after
// another, each (count, size of the output). Layer -1 is the normalised image.
CONVSCOPE_PAGE(network_layer_gradients)
void network_layer_gradients(Session* session, const uint8_t* images, int32_t count, const float* dlogits,
                             const int32_t* layers, int32_t wanted, float* gradients) {
    const Network& network = session->network;
    std::vector<LayerGradient> all;
    for (int32_t i = 0; i < wanted; ++i) {
        all.push_back({layers[i], gradients});
        const Shape shape =
            layers[i] < 0 ? network.input().shape : network.layers()[static_cast<std::size_t>(layers[i])].output;
        gradients += count * shape.size();
    }
    NeverStop watcher;
    if (!session->gradients) session->gradients = std::make_unique<LayerGradients>(network);
    session->gradients->compute(1, in_order(images), count, dlogits, all, watcher);
}

CONVSCOPE_PAGE(data_make) TrainingData* data_make(int32_t count, int32_t image_bytes) {
    return new TrainingData(count, image_bytes);
}
CONVSCOPE_PAGE(data_free) void data_free(TrainingData* data) { delete data; }
// Returns the memory into which JavaScript writes the images.
CONVSCOPE_PAGE(data_images) uint8_t* data_images(TrainingData* data) { return data->images.data(); }
CONVSCOPE_PAGE(data_write_labels) void data_write_labels(TrainingData* data, const int32_t* labels) {
    std::copy_n(labels, data->labels.size(), data->labels.begin());
}

// Takes a step for each batch of the `count` images that `order` lists. The first is at `first` in the epoch.
CONVSCOPE_PAGE(network_train)
void network_train(Session* session, const TrainingData* data, const int32_t* order, int32_t count, double first,
                   int32_t batch_size, const float* learning_rates, const double* settings, PlainScore* score) {
    if (!session->trainer || session->batch_size != batch_size) {
        session->trainer.reset();  // frees its memory before the next trainer is made
        session->trainer = std::make_unique<Trainer>(session->network, 1, batch_size);
        session->batch_size = batch_size;
    }
    const std::vector<int64_t> indices(order, order + count);
    Images images = {data->images.data(), data->labels.data(), indices.data(), {}};
    images.chance.first = static_cast<int64_t>(first);
    NeverStop watcher;
    const Score sums = session->trainer->train(images, count, read_settings(settings), learning_rates, session->steps, watcher);
    *score = {static_cast<double>(sums.images), sums.loss, static_cast<double>(sums.correct)};
}

// Writes the summed loss of the `count` images that `order` lists, and the gradients of their mean loss with respect to
// the weights: for each layer that has any, its kernel and bias in Keras layout, with zeros for a missing bias. The
// network computes as in a prediction, or if `is_step` as in a step of `network_train` with these images as one batch.
CONVSCOPE_PAGE(network_gradients)
void network_gradients(Session* session, const TrainingData* data, const int32_t* order, int32_t count, double first,
                       int32_t is_step, const double* settings, PlainScore* score, float* gradients) {
    Network& network = session->network;
    const std::vector<int64_t> indices(order, order + count);
    Images images = {data->images.data(), data->labels.data(), indices.data(), {}};
    images.chance.first = static_cast<int64_t>(first);
    const Settings read = read_settings(settings);
    const Score sums = is_step != 0 ? step_gradients(network, images, count, read, gradients)
                                    : prediction_gradients(network, images, count, read.loss, gradients);
    *score = {static_cast<double>(sums.images), sums.loss, static_cast<double>(sums.correct)};
}

// Takes one step of the optimizer with the gradients of `network_gradients`, without `is_step`.
CONVSCOPE_PAGE(network_prediction_step)
void network_prediction_step(Session* session, const TrainingData* data, const int32_t* order, int32_t count,
                             float learning_rate, const double* settings, PlainScore* score) {
    const std::vector<int64_t> indices(order, order + count);
    const Images images = {data->images.data(), data->labels.data(), indices.data(), {}};
    const Score sums =
        prediction_step(session->network, images, count, read_settings(settings), learning_rate, session->steps);
    *score = {static_cast<double>(sums.images), sums.loss, static_cast<double>(sums.correct)};
}

// Read and write the optimizer's state: the moments of a layer's weights in Keras layout, and the number of steps.
CONVSCOPE_PAGE(network_read_moments)
void network_read_moments(Session* session, int32_t layer, float* m_kernel, float* m_bias, float* v_kernel, float* v_bias) {
    const Parameters& parameters = *session->network.parameters(static_cast<std::size_t>(layer));
    parameters.read(Parameters::m, m_kernel, m_bias);
    parameters.read(Parameters::v, v_kernel, v_bias);
}

CONVSCOPE_PAGE(network_write_moments)
void network_write_moments(Session* session, int32_t layer, const float* m_kernel, const float* m_bias,
                           const float* v_kernel, const float* v_bias) {
    Parameters& parameters = *session->network.parameters(static_cast<std::size_t>(layer));
    parameters.write(Parameters::m, m_kernel, m_bias);
    parameters.write(Parameters::v, v_kernel, v_bias);
}

CONVSCOPE_PAGE(network_steps) double network_steps(const Session* session) { return static_cast<double>(session->steps); }
CONVSCOPE_PAGE(network_set_steps) void network_set_steps(Session* session, double steps) {
    session->steps = static_cast<int64_t>(steps);
}

// Writes `copies` of an image, augmented as at positions `first`, first + 1, ... of the epoch.
CONVSCOPE_PAGE(augment)
void augment(const uint8_t* image, int32_t height, int32_t width, int32_t channels, const double* settings, double first,
             int32_t copies, uint8_t* augmented) {
    const Shape shape = {height, width, channels};
    Augmenter augmenter(read_settings(settings).augmentation, shape, *usable_kernels().front());
    for (int32_t i = 0; i < copies; ++i) {
        std::copy_n(augmenter.change(static_cast<int64_t>(first) + i, image), shape.size(), augmented + i * shape.size());
    }
}

// Writes the height and width of a picture after it is reduced so that its longer side is `longest`.
CONVSCOPE_PAGE(picture_fit) void picture_fit(int32_t height, int32_t width, int32_t longest, double* size) {
    const handwriting::Size fitted = handwriting::fit({height, width}, {longest, longest});
    size[0] = static_cast<double>(fitted.height);
    size[1] = static_cast<double>(fitted.width);
}

// Writes rows [first, last) of a picture of rows x columns reduced to height x width. `band` holds the rows of the
// picture that these need, from row `start` on.
CONVSCOPE_PAGE(picture_average_rows)
void picture_average_rows(const uint8_t* band, int32_t start, int32_t rows, int32_t columns, int32_t channels, int32_t height,
                          int32_t width, int32_t first, int32_t last, uint8_t* averaged) {
    handwriting::average_rows(band, start, {rows, columns}, channels, {height, width}, first, last, averaged);
}

// Writes the address, height, width and channels of the picture at the start and after each step, the same of the
// image, the hints as bits, and `clipped`: 4 (num_steps + 2) + 2 numbers. The pictures are valid until `picture_free`.
CONVSCOPE_PAGE(picture_prepare)
handwriting::Prepared* picture_prepare(const uint8_t* pixels, int32_t rows, int32_t columns, int32_t colours, int32_t height,
                                       int32_t width, int32_t channels, int32_t is_ink_light, double target, double threshold,
                                       int32_t is_centred, uint32_t steps, double* result) {
    const handwriting::Request request = {
        height, width, channels, is_ink_light != 0, static_cast<int64_t>(target), threshold, is_centred != 0, steps};
    auto* prepared = new handwriting::Prepared(handwriting::prepare({pixels, rows, columns, colours}, request));
    for (const int32_t stage : prepared->stages) {
        result = write_picture(prepared->pictures[static_cast<std::size_t>(stage)], result);
    }
    result = write_picture(prepared->pictures.back(), result);
    *result++ = prepared->hints;
    *result = prepared->clipped;
    return prepared;
}

CONVSCOPE_PAGE(picture_free) void picture_free(handwriting::Prepared* prepared) { delete prepared; }

// Resets the optimizer's state to that before the first step. The weights stay.
CONVSCOPE_PAGE(network_reset_optimizer) void network_reset_optimizer(Session* session) {
    for (std::size_t layer = 0; layer < session->network.layers().size(); ++layer) {
        if (session->network.parameters(layer) != nullptr) session->network.parameters(layer)->reset_moments();
    }
    session->steps = 0;
}

}  // namespace convscope
