// The weight gradients that the page shows: for all layers with weights, one after another, the kernel's and the bias's
// in Keras layout, with zeros for a missing bias.
#pragma once

#include <algorithm>
#include <cmath>
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
    explicit NetworkState(Network& network) : network_(network) {
        for_parameters([&](Parameters& parameters, Parameters::Field field, float* kernel, float* bias) {
            parameters.read(field, kernel, bias);
        });
        for (std::size_t layer = 0; layer < network.layers().size(); ++layer) {
            if (network.moving(layer) != nullptr) moving_.push_back(*network.moving(layer));
        }
    }

    void restore() {
        for_parameters([&](Parameters& parameters, Parameters::Field field, const float* kernel, const float* bias) {
            parameters.write(field, kernel, bias);
        });
        auto next = moving_.begin();
        for (std::size_t layer = 0; layer < network_.layers().size(); ++layer) {
            if (network_.moving(layer) != nullptr) *network_.moving(layer) = *next++;
        }
    }

   private:
    template <class Visit>
    void for_parameters(Visit visit) {
        std::size_t number = 0;
        for (std::size_t layer = 0; layer < network_.layers().size(); ++layer) {
            Parameters* parameters = network_.parameters(layer);
            if (parameters == nullptr) continue;
            const auto kernel = static_cast<std::size_t>(parameters->inputs() * parameters->filters());
            for (Parameters::Field field : {Parameters::weights, Parameters::m, Parameters::v}) {
                if (number == arrays_.size()) arrays_.emplace_back(kernel + static_cast<std::size_t>(parameters->filters()));
                float* array = arrays_[number++].data();
                visit(*parameters, field, array, array + kernel);
            }
        }
    }

    Network& network_;
    std::vector<std::vector<float>> arrays_;
    std::vector<MovingStatistics> moving_;
};

// Computes the weight gradients of the mean loss of `count` images, for each step of the plan in the layout of
// Parameters. The network computes as in a prediction: no dropout or augmentation, and the moving statistics.
inline Score prediction_sums(const Network& network, const Images& images, int64_t count, const Loss& loss,
                             std::vector<Buffer<float>>& sums) {
    const Plan& plan = network.plan();
    const int64_t width = network.kernels().panel_width;
    Scratch scratch = network.make_scratch(plan, Kept::gradients);
    Workspace workspace = network.make_workspace(plan, Kept::gradients);
    workspace.scratch = &scratch;
    Batch batch = network.make_batch(plan, slice_images, 1, Kept::gradients);
    network.use_moving_statistics(plan, batch);
    for (const Plan::Step& step : plan.steps) {
        sums.push_back(make_buffer<float>(step.parameters == nullptr ? 0 : step.parameters->size()));
    }
    Buffer<float> block = make_buffer<float>((block_rows + 1) * width);
    Score score;
    for (int64_t begin = 0; begin < count; begin += slice_images) {
        const int64_t size = std::min(slice_images, count - begin);
        Images slice = images;
        slice.indices += begin;
        std::fill_n(batch.shards[0].data(), plan.gradient_offsets.back(), 0.0f);
        network.forward(plan, plan.whole(), workspace, batch, slice, 0, size);
        network.score(plan, workspace, batch, slice, 0, size, loss, 1 / static_cast<float>(count));
        network.backward(plan, plan.whole(), workspace, batch, 0, size, batch.shards[0].data());
        for (std::size_t step = 0; step < plan.steps.size(); ++step) {
            const Parameters* parameters = plan.steps[step].parameters;
            if (parameters == nullptr) continue;
            for (int64_t panel = 0; panel < parameters->panels(); ++panel) {
                for (int64_t row = 0, end; row < parameters->inputs(); row = end) {
                    end = std::min(row + block_rows, parameters->inputs());
                    if (end == parameters->inputs()) end = parameters->trained_rows();  // the last has the bias
                    plan.steps[step].computes->collect(batch, size, plan.gradient_offsets[step], panel, row, end, block.data());
                    float* sum = sums[step].data() + panel * parameters->panel_size() + row * width;
                    network.kernels().add(sum, block.data(), (end - row) * width);
                }
            }
        }
        for (int64_t i = 0; i < size; ++i) {
            score.loss += batch.losses[static_cast<std::size_t>(i)];
            score.correct += batch.correct[static_cast<std::size_t>(i)];
        }
        score.images += size;
    }
    return score;
}

// Writes the gradients of `prediction_sums` to `gradients`, in the layout of this file's head.
inline Score prediction_gradients(const Network& network, const Images& images, int64_t count, const Loss& loss,
                                  float* gradients) {
    std::vector<Buffer<float>> sums;
    const Score score = prediction_sums(network, images, count, loss, sums);
    const Plan& plan = network.plan();
    for (std::size_t step = 0; step < plan.steps.size(); ++step) {  // in the layers' order
        const Parameters* parameters = plan.steps[step].parameters;
        if (parameters == nullptr) continue;
        float* bias = gradients + parameters->inputs() * parameters->filters();
        parameters->unpack(sums[step].data(), gradients, bias);
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
    for (std::size_t layer = 0, step = 0; layer < network.layers().size(); ++layer) {
        Parameters* parameters = network.parameters(layer);
        if (parameters == nullptr) continue;
        while (network.plan().steps[step].parameters != parameters) ++step;  // they are in the layers' order
        float* sum = sums[step].data();
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
    NetworkState state(network);
    for (std::size_t layer = 0; layer < network.layers().size(); ++layer) {
        Parameters* parameters = network.parameters(layer);
        if (parameters == nullptr) continue;
        const std::vector<float> zeros(static_cast<std::size_t>((parameters->inputs() + 1) * parameters->filters()));
        parameters->write(Parameters::m, zeros.data(), zeros.data());
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
        std::for_each(gradients, end, [](float& value) { value = 0 - value; });
        gradients = end;
    }
    state.restore();
    return score;
}

}  // namespace convscope
