#include "training.hpp"

#include <algorithm>
#include <cmath>

#include "step_times.hpp"

namespace convscope {

Trainer::Trainer(Network& network, int threads, int64_t batch_size)
    : network_(network), plan_(network.plan()), batch_size_(batch_size), team_(threads),
      batch_(network.make_batch(plan_, batch_size, std::min(max_shards, count_slices(batch_size)), Kept::gradients)) {
    const int64_t width = network.kernels().panel_width;
    const int64_t workspaces = plan_.stages.size() > 1 ? count_slices(batch_size) : threads;
    for (int64_t i = 0; i < workspaces; ++i) workspaces_.push_back(network.make_workspace(plan_, Kept::gradients));
    for (int i = 0; i < threads; ++i) {
        scratches_.push_back(network.make_scratch(plan_, Kept::gradients));
        block_gradients_.push_back(make_buffer<float>((block_rows + 1) * width));
    }
    // The last steps first: dense layers have the largest blocks.
    for (std::size_t step = plan_.steps.size(); step-- > 0;) {
        if (plan_.steps[step].parameters != nullptr) list_blocks(step);
    }
    panel_left_ = std::vector<std::atomic<int>>(panel_blocks_.size());
    time_steps_of(plan_);
}

// The same rows of all panels follow each other, since a dense layer's gradient reads the same inputs for them: of two
// panels of block_rows + 5 rows the blocks are the first rows of panels 0 and 1, then the last 5 of 0 and 1.
void Trainer::list_blocks(std::size_t step) {
    const Parameters& parameters = *plan_.steps[step].parameters;
    const std::size_t first_panel = panel_blocks_.size();
    panel_blocks_.resize(first_panel + static_cast<std::size_t>(parameters.panels()));
    for (int64_t begin = 0, end; begin < parameters.inputs(); begin = end) {
        end = std::min(begin + block_rows, parameters.inputs());
        if (end == parameters.inputs()) end = parameters.trained_rows();  // the last block has the bias
        for (int64_t panel = 0; panel < parameters.panels(); ++panel) {
            const std::size_t panel_number = first_panel + static_cast<std::size_t>(panel);
            blocks_.push_back({step, panel, begin, end, panel_number});
            ++panel_blocks_[panel_number];
        }
    }
}

template <class Work>
bool Trainer::for_slices(int64_t count, bool clears, const Score& so_far, Watcher& watcher, const Work& work) {
    // Shard s has the slices from s slices / shards on: 20 slices in 16 shards are 1 1 1 2 1 1 1 2 ...
    const int64_t slices = count_slices(count), shards = std::min(max_shards, slices);
    const bool by_slice = plan_.stages.size() > 1;
    Queue queue(clears ? static_cast<int64_t>(batch_.shards.size()) : shards, team_.size(), backwards_);
    backwards_ = !backwards_;
    auto take = [&](int thread) {
        for (int64_t shard; queue.take(thread, shard);) {
            Buffer<float>& sums = batch_.shards[static_cast<std::size_t>(shard)];
            if (clears) std::fill_n(sums.data(), plan_.gradient_offsets.back(), 0.0f);
            if (shard >= shards) continue;  // the last shards are empty in a short batch
            for (int64_t slice = shard * slices / shards; slice < (shard + 1) * slices / shards; ++slice) {
                Workspace& workspace = workspaces_[by_slice ? static_cast<std::size_t>(slice) : static_cast<std::size_t>(thread)];
                workspace.scratch = &scratches_[static_cast<std::size_t>(thread)];
                work(workspace, slice * slice_images, std::min((slice + 1) * slice_images, count), sums.data());
                if (thread == 0 && !watcher.go_on(so_far)) queue.stop();
                if (queue.stopped()) return;
            }
        }
    };
    team_.run(take);
    return !queue.stopped();
}

// Each stage goes through the shards in the opposite direction, since caches have the maps that were used last. With
// stages 0, 1 and 2, each `|` a wait for all slices, at which a normalisation merges the slices' sums:
//
//     forward 0 | forward 1 | forward 2, score, backward 2 | backward 1 | backward 0
bool Trainer::pass(const Images& images, int64_t count, const Loss& loss, float scale, const std::vector<Range>& stages,
                   const Score& so_far, Watcher& watcher) {
    const std::size_t last = stages.size() - 1;
    for (std::size_t stage = 0; stage < last; ++stage) {
        const auto forward = [&](Workspace& workspace, int64_t begin, int64_t end, float*) {
            network_.forward(plan_, stages[stage], workspace, batch_, images, begin, end);
        };
        if (!for_slices(count, false, so_far, watcher, forward)) return false;
        const std::size_t next = stages[stage + 1].begin;
        plan_.steps[next].normalizes->merge(batch_.statistics[next], count);
    }
    const auto forward_and_backward = [&](Workspace& workspace, int64_t begin, int64_t end, float* sums) {
        network_.forward(plan_, stages[last], workspace, batch_, images, begin, end);
        network_.score(plan_, workspace, batch_, images, begin, end, loss, scale);
        network_.backward(plan_, stages[last], workspace, batch_, begin, end, sums);
    };
    if (!for_slices(count, true, so_far, watcher, forward_and_backward)) return false;
    for (std::size_t stage = last; stage-- > 0;) {
        const std::size_t next = stages[stage + 1].begin;
        plan_.steps[next].normalizes->merge_back(batch_.statistics[next], batch_, count, plan_.gradient_offsets[next]);
        const auto back = [&](Workspace& workspace, int64_t begin, int64_t end, float* sums) {
            network_.backward(plan_, stages[stage], workspace, batch_, begin, end, sums);
        };
        if (!for_slices(count, false, so_far, watcher, back)) return false;
    }
    return true;
}

void Trainer::block_gradient(const Block& block, int64_t count, float* gradient) const {
    plan_.steps[block.step].computes->collect(batch_, count, plan_.gradient_offsets[block.step], block.panel, block.begin,
                                              block.end, gradient);
}

void Trainer::add_score(int64_t count, Score& score) const {
    for (int64_t i = 0; i < count; ++i) {
        score.loss += batch_.losses[static_cast<std::size_t>(i)];
        score.correct += batch_.correct[static_cast<std::size_t>(i)];
    }
    score.images += count;
}

void Trainer::take_step(const Block& block, const float* gradient, const Step& step) {
    Parameters& parameters = *plan_.steps[block.step].parameters;
    parameters.update(block.panel, block.begin, block.end, gradient, step);
    // The thread that updates the last block of a panel sees all its rows updated.
    if (panel_left_[block.panel_number].fetch_sub(1, std::memory_order_acq_rel) == 1) parameters.finish_panel(block.panel);
}

template <class Work>
void Trainer::for_blocks(const Work& work) {
    Queue queue(static_cast<int64_t>(blocks_.size()), team_.size());
    auto take = [&](int thread) {
        for (int64_t i; queue.take(thread, i);) work(static_cast<std::size_t>(thread), static_cast<std::size_t>(i));
    };
    team_.run(take);
}

void Trainer::update(int64_t count, const Settings& settings, float learning_rate, int64_t steps) {
    Step step = {settings.optimizer.step(static_cast<double>(learning_rate), steps)};
    if (settings.averaging > 0) {  // bias-corrected like Adam's moments: the first step's average is the weights
        const double past = settings.averaging;
        step.average_rate = static_cast<float>((1 - past) / (1 - std::pow(past, static_cast<double>(steps))));
    }
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
        const BatchNormalization* normalizes = plan_.steps[i].normalizes;
        if (normalizes != nullptr) normalizes->update_moving(batch_.statistics[i], step.average_rate);
    }
    for (std::size_t i = 0; i < panel_left_.size(); ++i) {
        panel_left_[i].store(panel_blocks_[i], std::memory_order_relaxed);
    }
    if (settings.clip_norm > 0) return update_clipped(count, step, settings.clip_norm);
    for_blocks([&](std::size_t thread, std::size_t b) {
        float* gradient = block_gradients_[thread].data();
        time_step(Phase::update, 0, [&] {
            block_gradient(blocks_[b], count, gradient);
            take_step(blocks_[b], gradient, step);
        });
    });
}

void Trainer::update_clipped(int64_t count, const Step& step, double max_norm) {
    const Kernels& kernels = network_.kernels();
    const auto size = [&](const Block& block) { return (block.end - block.begin) * kernels.panel_width; };
    for_blocks([&](std::size_t, std::size_t b) {
        float* gradient = whole_gradients_[b].data();
        block_gradient(blocks_[b], count, gradient);
        squares_[b] = kernels.sum_of_squares(gradient, size(blocks_[b]));
    });
    double squares = 0;
    for (double square : squares_) squares += square;  // in the blocks' order, whichever thread measured them
    const double norm = std::sqrt(squares);
    const float factor = norm > max_norm ? static_cast<float>(max_norm / norm) : 1;
    for_blocks([&](std::size_t, std::size_t b) {
        float* gradient = whole_gradients_[b].data();
        if (factor < 1) kernels.multiply_by(gradient, size(blocks_[b]), factor);
        take_step(blocks_[b], gradient, step);
    });
}

void Trainer::prepare(const Settings& settings) {
    if (settings.augmentation.changes()) {
        for (Scratch& scratch : scratches_) {
            scratch.augmenter = std::make_unique<Augmenter>(settings.augmentation, network_.input().shape, network_.kernels());
        }
    }
    if (settings.clip_norm > 0) {
        while (whole_gradients_.size() < blocks_.size()) {
            whole_gradients_.push_back(make_buffer<float>((block_rows + 1) * network_.kernels().panel_width));
        }
        squares_.resize(blocks_.size());
    }
    const auto begin_averaging = [&](auto* values) {
        if (values == nullptr) return;
        if (settings.averaging == 0) return values->drop_average();
        values->averaged() ? values->exchange_average() : values->start_averaging();
    };
    for (std::size_t layer = 0; layer < network_.layers().size(); ++layer) {
        if (network_.parameters(layer) != nullptr) network_.parameters(layer)->round_kernels(settings.weight_bits);
        begin_averaging(network_.parameters(layer));
        begin_averaging(network_.moving(layer));
    }
}

Score Trainer::train(const Images& images, int64_t count, const Settings& settings, const float* learning_rates,
                     int64_t& steps, Watcher& watcher, Score score) {
    prepare(settings);
    for (int64_t begin = 0, batch = 0; begin < count; begin += batch_size_, ++batch) {
        const int64_t size = std::min(batch_size_, count - begin);
        Images part = images;
        part.indices += begin;
        part.chance = {true, settings.dropout_key, images.chance.first + begin};
        if (!pass(part, size, settings.loss, 1 / static_cast<float>(size), plan_.stages, score, watcher)) break;
        ++steps;
        update(size, settings, learning_rates[batch], steps);
        add_score(size, score);
        if (!watcher.go_on(score)) break;
    }
    for (Scratch& scratch : scratches_) scratch.augmenter.reset();
    for (std::size_t layer = 0; settings.averaging > 0 && layer < network_.layers().size(); ++layer) {
        if (network_.parameters(layer) != nullptr) network_.parameters(layer)->exchange_average();
        if (network_.moving(layer) != nullptr) network_.moving(layer)->exchange_average();
    }
    return score;
}

Score Trainer::gradients(const Images& images, int64_t count, const Loss& loss, std::vector<Buffer<float>>& gradients,
                         Watcher& watcher) {
    Score score;
    network_.use_moving_statistics(plan_, batch_);
    for (int64_t begin = 0; begin < count; begin += batch_size_) {
        const int64_t size = std::min(batch_size_, count - begin);
        Images part = images;
        if (part.indices != nullptr) {
            part.indices += begin;
        } else {
            part.bytes += begin * network_.input().shape.size();
            part.labels += begin;
        }
        if (!pass(part, size, loss, 1 / static_cast<float>(count), {plan_.whole()}, score, watcher)) break;
        for_blocks([&](std::size_t thread, std::size_t b) {
            const Block& block = blocks_[b];
            const Plan::Step& step = plan_.steps[block.step];
            const int64_t width = network_.kernels().panel_width, first = block.panel * step.parameters->panel_size();
            float* gradient = block_gradients_[thread].data();
            block_gradient(block, size, gradient);
            float* sum = gradients[step.layer].data() + first + block.begin * width;
            network_.kernels().add(sum, gradient, (block.end - block.begin) * width);
        });
        add_score(size, score);
    }
    return score;
}

}  // namespace convscope
