// Training over many images: who computes which slice, and the steps of an epoch.
//
// A step has two phases, with every thread waiting at the end of each. In the first the threads take shards, forward and
// back; where batch normalisations need the whole batch, in stages, with every thread waiting at the end of each. In the
// second they take blocks of weights: a block's gradient is summed over the whole batch (dense layers) or over the shards
// in their order (the others), and the optimizer's step is taken while it is in cache.
#pragma once

#include <atomic>

#include "network.hpp"
#include "optimizer.hpp"
#include "threads.hpp"

namespace convscope {

struct Settings {
    Optimizer optimizer;
    Loss loss;
    Augmentation augmentation;
    uint64_t dropout_key = 0;  // of the epoch
    double clip_norm = 0;  // at most so long is a whole gradient; 0: as long as it is
    double averaging = 0;  // how much of its past the average of the weights keeps a step; 0: there is none
    int64_t weight_bits = 0;  // of kernels, 2, 4 or 8; 0: they are not rounded

    // Beside those of the optimizer, the loss and the augmentation.
    template <class Visit>
    static constexpr void for_fields(Visit visit) {
        visit("dropout_key", &Settings::dropout_key);
        visit("clip_norm", &Settings::clip_norm);
        visit("averaging", &Settings::averaging);
        visit("weight_bits", &Settings::weight_bits);
    }
};

// Sums over images, in their order.
struct Score {
    int64_t images = 0;
    double loss = 0;
    int64_t correct = 0;
};

// Asked again and again by the thread that called in; false stops the work.
class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual bool go_on(const Score& score) = 0;
};

class Trainer {
   public:
    Trainer(Network& network, int threads, int64_t batch_size);

    // Makes what only these settings need; `train` does so first, and then no arrays but averages of the weights.
    void prepare(const Settings& settings);

    // Takes a step for each batch of `count` images; `steps` counts them, on from what it holds. Of a piece of an epoch,
    // `images.chance.first` is the place where it begins. Stopped by the watcher, the weights are those after some whole step.
    Score train(const Images& images, int64_t count, const Settings& settings, const float* learning_rates,
                int64_t& steps, Watcher& watcher);

    // Adds the mean gradient over `count` images to `gradients`, an array in the layout of Parameters for each layer.
    Score gradients(const Images& images, int64_t count, std::vector<Buffer<float>>& gradients, Watcher& watcher);

   private:
    struct Block {
        std::size_t step;  // of the plan
        int64_t panel, begin, end;
        std::size_t whole;  // which panel this is among those of all layers
    };

    // The first phase for images [0, count) of `images`, in the plan's stages or in one; false if stopped.
    bool pass(const Images& images, int64_t count, const Loss& loss, float scale, const std::vector<Range>& stages,
              const Score& so_far, Watcher& watcher);
    // Calls work(workspace, begin, end, sums) for every slice of the batch; those of a shard come on one thread and in
    // their order, and add to the shard's sums, which are cleared before if `clears` says so.
    template <class Work>
    bool for_slices(int64_t count, bool clears, const Score& so_far, Watcher& watcher, const Work& work);
    // The second phase: a step for every block.
    void take_step(const Block& block, const float* gradient, const Step& step);
    void update(int64_t count, const Step& step);
    // The same with the whole gradient shortened to `most` where it is longer, which takes two rounds of the threads.
    void update_clipped(int64_t count, const Step& step, double max_norm);
    // A block's gradient over the batch, (end - begin, panel_width), into `gradient`.
    void block_gradient(const Block& block, int64_t count, float* gradient) const;
    void add_score(int64_t count, Score& score) const;

    Network& network_;
    const Plan& plan_;
    const int64_t batch_size_;
    Team team_;
    Batch batch_;
    std::vector<Workspace> workspaces_;           // by slice where there are stages, else by thread
    std::vector<Scratch> scratches_;              // by thread
    std::vector<Buffer<float>> block_gradients_;  // by thread
    std::vector<Block> blocks_;
    std::vector<int> panel_blocks_;                // how many blocks a panel was cut into
    std::vector<std::atomic<int>> panel_left_;     // and how many of them a step has still to update
    std::vector<Buffer<float>> whole_gradients_;  // by block, where the gradient is clipped
    std::vector<double> squares_;                 // by block
};

}  // namespace convscope
