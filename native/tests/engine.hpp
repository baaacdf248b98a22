// A network of the engine with plain vectors for its arrays: what the Python bindings do, for the tests of networks.
#pragma once

#include <algorithm>
#include <vector>

#include "naive_network.hpp"
#include "prediction.hpp"

namespace convscope::test {

// A watcher that never stops the work.
class NeverStop final : public Watcher {
   public:
    bool go_on(const Score&) override { return true; }
};

class Engine {
   public:
    Engine(const Architecture& architecture, const std::vector<Weights>& weights, const Kernels& kernels)
        : architecture_(architecture), network_(architecture.input, architecture.layers, kernels) {
        write(Parameters::weights, weights);
    }

    int64_t steps = 0;  // optimizer steps so far, which `train` increases

    // Writes one field of all layers: the weights (with the moving statistics) or a moment of the optimizer.
    void write(Parameters::Field field, const std::vector<Weights>& values) {
        for (std::size_t l = 0; l < values.size(); ++l) {
            if (values[l].kernel.empty()) continue;
            const std::vector<float> kernel = to_floats(values[l].kernel), bias = to_floats(values[l].bias);
            network_.parameters(l)->write(field, kernel.data(), bias.data());
            MovingStatistics* moving = network_.moving(l);
            if (moving == nullptr || field != Parameters::weights) continue;
            const std::vector<float> means = to_floats(values[l].moving_means),
                                     variances = to_floats(values[l].moving_variances);
            std::copy(means.begin(), means.end(), moving->means.begin());
            std::copy(variances.begin(), variances.end(), moving->variances.begin());
        }
    }

    std::vector<Weights> read(Parameters::Field field) {
        std::vector<Weights> values;
        for (std::size_t l = 0; l < architecture_.layers.size(); ++l) {
            std::vector<float> kernel, bias;
            if (const Parameters* parameters = network_.parameters(l)) {
                resize_for(*parameters, kernel, bias);
                parameters->read(field, kernel.data(), bias.data());
            }
            values.push_back(to_weights(kernel, bias));
            const MovingStatistics* moving = network_.moving(l);
            if (moving == nullptr || field != Parameters::weights) continue;
            const int64_t channels = architecture_.layers[l].input.channels;
            values.back().moving_means.assign(moving->means.data(), moving->means.data() + channels);
            values.back().moving_variances.assign(moving->variances.data(), moving->variances.data() + channels);
        }
        return values;
    }

    // Trains on the images that `order` lists, in batches and with one learning rate. `first` is the position in the
    // epoch of the first image, by which dropout and augmentation choose their random numbers.
    Score train(const std::vector<uint8_t>& images, const std::vector<int64_t>& labels,
                const std::vector<int64_t>& order, int64_t batch_size, float learning_rate, int threads,
                Watcher& watcher, const Settings& settings = {}, int64_t first = 0, const float* weights = nullptr) {
        const auto count = static_cast<int64_t>(order.size());
        const std::vector<float> rates(order.size(), learning_rate);  // for each batch one; there are no more
        Trainer trainer(network_, threads, std::min(batch_size, count));
        Images ordered = make_images(images, &labels, &order);
        ordered.chance.first = first;
        ordered.weights = weights;
        return trainer.train(ordered, count, settings, rates.data(), steps, watcher);
    }

    // Returns the mean loss of all images, and writes its gradients to `gradients`.
    double gradients(const std::vector<uint8_t>& images, const std::vector<int64_t>& labels, int64_t batch_size,
                     int threads, std::vector<Weights>& gradients) {
        const auto count = static_cast<int64_t>(labels.size());
        std::vector<Buffer<float>> sums(architecture_.layers.size());
        for (std::size_t l = 0; l < sums.size(); ++l) {
            if (network_.parameters(l)) sums[l] = make_buffer<float>(network_.parameters(l)->size());
        }
        NeverStop watcher;
        Trainer trainer(network_, threads, std::min(batch_size, count));
        const Score score = trainer.gradients(make_images(images, &labels), count, {}, sums, watcher);
        gradients.clear();
        for (std::size_t l = 0; l < sums.size(); ++l) {
            std::vector<float> kernel, bias;
            if (const Parameters* parameters = network_.parameters(l)) {
                resize_for(*parameters, kernel, bias);
                parameters->unpack(sums[l].data(), kernel.data(), bias.data());
            }
            gradients.push_back(to_weights(kernel, bias));
        }
        return score.loss / static_cast<double>(count);
    }

    // Returns the logits, (count, classes).
    std::vector<float> logits(const std::vector<uint8_t>& images, int64_t count, int threads) {
        return layer_output(network_.plan(), architecture_.layers.size() - 1, images, count, threads);
    }
    // Returns a layer's output, (count, size), from a plan that fuses no layers.
    std::vector<float> activations(std::size_t layer, const std::vector<uint8_t>& images, int64_t count, int threads) {
        return layer_output(network_.make_plan(Purpose::outputs), layer, images, count, threads);
    }

    Network& network() { return network_; }

   private:
    std::vector<float> layer_output(const Plan& plan, std::size_t layer, const std::vector<uint8_t>& images,
                                    int64_t count, int threads) {
        const int64_t size = architecture_.layers[layer].output.size();
        std::vector<float> output(static_cast<std::size_t>(count * size));
        NeverStop watcher;
        Predictor(network_, plan, Kept::maps)
            .predict(
                threads, make_images(images), count,
                [&](const Workspace& workspace, int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i) {
                        network_.read_layer(plan, workspace, layer, i - begin, output.data() + i * size);
                    }
                },
                watcher);
        return output;
    }

    static Images make_images(const std::vector<uint8_t>& bytes, const std::vector<int64_t>* labels = nullptr,
                              const std::vector<int64_t>* order = nullptr) {
        Images images;
        images.bytes = bytes.data();
        images.labels = labels ? labels->data() : nullptr;
        images.indices = order ? order->data() : nullptr;
        return images;
    }
    static std::vector<float> to_floats(const std::vector<double>& values) {
        std::vector<float> floats;
        for (double value : values) floats.push_back(static_cast<float>(value));
        return floats;
    }
    static Weights to_weights(const std::vector<float>& kernel, const std::vector<float>& bias) {
        return {std::vector<double>(kernel.begin(), kernel.end()), std::vector<double>(bias.begin(), bias.end())};
    }
    static void resize_for(const Parameters& parameters, std::vector<float>& kernel, std::vector<float>& bias) {
        kernel.resize(static_cast<std::size_t>(parameters.inputs() * parameters.filters()));
        bias.resize(static_cast<std::size_t>(parameters.filters()));
    }

    Architecture architecture_;
    Network network_;
};

// Whether two networks have the same weights and moving statistics, bit for bit.
inline bool equal(const std::vector<Weights>& first, const std::vector<Weights>& second) {
    return std::equal(first.begin(), first.end(), second.begin(), second.end(), [](const Weights& a, const Weights& b) {
        return a.kernel == b.kernel && a.bias == b.bias && a.moving_means == b.moving_means &&
               a.moving_variances == b.moving_variances;
    });
}

}  // namespace convscope::test
