// The weight gradients that the page shows: for all layers with weights, one after another, the kernel's and the bias's
// in Keras layout, with zeros for a missing bias.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "prediction.hpp"

namespace convscope {

class NeverStop final : public Watcher {
   public:
    bool go_on(const Score&) override { return true; }
};

// A copy of a network's weights, moments and moving statistics, which `restore` writes back.
class NetworkState {
   public:
    explicit NetworkState(Network& network) {
        for (std::size_t layer = 0; layer < network.layers().size(); ++layer) {
            MovingStatistics* moving = network.moving(layer);
            if (moving != nullptr) moving_.push_back({moving, *moving});
            Parameters* parameters = network.parameters(layer);
            if (parameters == nullptr) continue;
            const auto filters = static_cast<std::size_t>(parameters->filters());
            const std::vector<float> kernel(static_cast<std::size_t>(parameters->inputs()) * filters), bias(filters);
            for (Parameters::Field field : {Parameters::weights, Parameters::m, Parameters::v}) {
                arrays_.push_back({parameters, field, kernel, bias});
                parameters->read(field, arrays_.back().kernel.data(), arrays_.back().bias.data());
            }
        }
    }

    void restore() const {
        for (const Arrays& a : arrays_) a.parameters->write(a.field, a.kernel.data(), a.bias.data());
        for (const auto& [moving, saved] : moving_) *moving = saved;
    }

   private:
    struct Arrays {
        Parameters* parameters;
        Parameters::Field field;
        std::vector<float> kernel, bias;
    };
    std::vector<Arrays> arrays_;
    std::vector<std::pair<MovingStatistics*, MovingStatistics>> moving_;
};

// Computes the weight gradients of the mean loss of `count` images, by layer in the layout of Parameters. The network
// computes as in a prediction: no dropout or augmentation, and the moving statistics.
inline Score prediction_sums(Network& network, const Images& images, int64_t count, const Loss& loss,
                             std::vector<Buffer<float>>& sums) {
    for (std::size_t layer = 0; layer < network.layers().size(); ++layer) {
        const Parameters* parameters = network.parameters(layer);
        sums.push_back(make_buffer<float>(parameters == nullptr ? 0 : parameters->size()));
    }
    NeverStop watcher;
    return Trainer(network, 1, slice_images).gradients(images, count, loss, sums, watcher);
}

// Writes the gradients of `prediction_sums` to `gradients`, in the layout of this file's head.
inline Score prediction_gradients(Network& network, const Images& images, int64_t count, const Loss& loss,
                                  float* gradients) {
    std::vector<Buffer<float>> sums;
    const Score score = prediction_sums(network, images, count, loss, sums);
    for (std::size_t layer = 0; layer < network.layers().size(); ++layer) {
        const Parameters* parameters = network.parameters(layer);
        if (parameters == nullptr) continue;
        float* bias = gradients + parameters->inputs() * parameters->filters();
        parameters->unpack(sums[layer].data(), gradients, bias);
        gradients = bias + parameters->filters();
    }
    return score;
}

// Takes a step of the optimizer with the gradients of `prediction_sums`, and counts it in `steps`.
inline Score prediction_step(Network& network, const Images& images, int64_t count, const Settings& settings,
                             float learning_rate, int64_t& steps) {
    std::vector<Buffer<float>> sums;
    const Score score = prediction_sums(network, images, count, settings.loss, sums);
    double squares = 0;
    for (const Buffer<float>& sum : sums) squares += network.kernels().sum_of_squares(sum.data(), sum.size());
    const double norm = std::sqrt(squares);
    const bool clips = settings.clip_norm > 0 && norm > settings.clip_norm;
    const float factor = clips ? static_cast<float>(settings.clip_norm / norm) : 1;
    ++steps;
    const Step rule = {settings.optimizer.step(static_cast<double>(learning_rate), steps)};
    for (std::size_t layer = 0; layer < network.layers().size(); ++layer) {
        Parameters* parameters = network.parameters(layer);
        if (parameters == nullptr) continue;
        float* sum = sums[layer].data();
        if (clips) network.kernels().multiply_by(sum, parameters->size(), factor);
        for (int64_t panel = 0; panel < parameters->panels(); ++panel) {
            parameters->update(panel, 0, parameters->trained_rows(), sum + panel * parameters->panel_size(), rule);
            parameters->finish_panel(panel);
        }
    }
    return score;
}

// Writes the gradients of a training step with these images as one batch, with augmentation, dropout and the batch's
// statistics, before clipping. It takes a real step: after gradient descent with learning rate 1 and no momentum, the
// velocity m is minus the gradient. Then the network's state is restored.
inline Score step_gradients(Network& network, const Images& images, int64_t count, Settings settings, float* gradients) {
    const NetworkState state(network);
    for (std::size_t layer = 0; layer < network.layers().size(); ++layer) {
        if (network.parameters(layer) != nullptr) network.parameters(layer)->reset_moments();
    }
    settings.optimizer = {.kind = OptimizerKind::sgd};
    settings.clip_norm = 0;
    const float rate = 1;
    int64_t steps = 0;
    NeverStop watcher;
    const Score score = Trainer(network, 1, count).train(images, count, settings, &rate, steps, watcher);
    for (std::size_t layer = 0; layer < network.layers().size(); ++layer) {
        const Parameters* parameters = network.parameters(layer);
        if (parameters == nullptr) continue;
        float* bias = gradients + parameters->inputs() * parameters->filters();
        parameters->read(Parameters::m, gradients, bias);
        float* end = bias + parameters->filters();
        std::for_each(gradients, end, [](float& value) { value = 0 - value; });  // -value would make -0 of 0
        gradients = end;
    }
    state.restore();
    return score;
}

}  // namespace convscope
