// Training: the steps of an epoch, and which thread computes what. The bindings and the page call `train` for an epoch
// or a part of one. A step takes a batch through two phases, and all threads wait for each other after each:
//
//     pass     Threads take shards, a few neighbouring slices of 8 images, and compute their forward and backward
//              passes. A batch normalisation cuts the plan into stages (network.hpp); all threads wait after each.
//     update   Threads take blocks of weights, at most 64 rows of a panel, which is up to 32 columns of a layer's
//              weights (parameters.hpp). A block's gradient is summed over the batch (dense layers) or over the
//              shards' sums in order (other layers), and the optimizer updates the block while it is in cache.
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
    uint64_t dropout_key = 0;  // the key of the epoch's dropout
    double clip_norm = 0;     // the gradient of all weights is scaled down to this norm; 0: never
    double averaging = 0;     // share of the weights' running average that each step keeps; 0: no average
    int64_t weight_bits = 0;  // kernels are rounded to 2, 4 or 8 bits; 0: not rounded

    // The fields of the optimizer, the loss and the augmentation are visited by their own structs.
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

// Lets the caller follow and stop the work: its thread calls go_on() again and again, and false stops the work.
class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual bool go_on(const Score& score) = 0;
};

class Trainer {
   public:
    Trainer(Network& network, int threads, int64_t batch_size);

    // Makes the arrays that only these settings need, rounds the kernels, and puts the unaveraged weights in the place
    // of their average. `train` begins with it, and allocates nothing else.
    void prepare(const Settings& settings);

    // Takes a step for each batch of `count` images, with learning_rates[batch]. `steps` is the number of steps so far,
    // and is increased. If the images are a part of an epoch, images.chance.first is the position of the first, and
    // `score` that of the images before, to which theirs is added. If the watcher stops it, the weights are those after
    // a complete step.
    Score train(const Images& images, int64_t count, const Settings& settings, const float* learning_rates,
                int64_t& steps, Watcher& watcher, Score score = {});

    // Adds the weight gradients of the mean loss of `count` images to `gradients`, by layer in the layout of
    // Parameters. The network computes as in a prediction, with the moving statistics.
    Score gradients(const Images& images, int64_t count, const Loss& loss, std::vector<Buffer<float>>& gradients,
                    Watcher& watcher);

   private:
    // Rows [begin, end) of a panel of a layer's weights.
    struct Block {
        std::size_t step;  // index in the plan
        int64_t panel, begin, end;
        std::size_t panel_number;  // among the panels of all layers
    };

    // Appends the blocks of a step's weights.
    void list_blocks(std::size_t step);
    // The first phase for images [0, count) of `images`, stage by stage: forward, score, backward. `scale` is the
    // weight of an image's loss, 1 / count for a mean. Returns false if stopped.
    bool pass(const Images& images, int64_t count, const Loss& loss, float scale, const std::vector<Range>& stages,
              const Score& so_far, Watcher& watcher);
    // Calls work(workspace, begin, end, sums) for every slice of the batch; one thread computes the slices of a shard,
    // in order, and adds to the shard's sums, which are set to zero first if `clears`. Returns false if stopped.
    template <class Work>
    bool for_slices(int64_t count, bool clears, const Score& so_far, Watcher& watcher, const Work& work);
    // Calls work(thread, index of the block) for every block, on all threads.
    template <class Work>
    void for_blocks(const Work& work);
    void take_step(const Block& block, const float* gradient, const Step& step);
    // The second phase of step number `steps`: updates the moving statistics and all blocks.
    void update(int64_t count, const Settings& settings, float learning_rate, int64_t steps);
    // Updates all blocks with the gradient of all weights scaled down to `max_norm` if its norm is larger. The norm must
    // be known before the first update, so the threads go over all blocks twice.
    void update_clipped(int64_t count, const Step& step, double max_norm);
    // Writes a block's gradient, summed over the batch, to `gradient`, (end - begin, panel_width).
    void block_gradient(const Block& block, int64_t count, float* gradient) const;
    void add_score(int64_t count, Score& score) const;

    Network& network_;
    const Plan& plan_;
    const int64_t batch_size_;
    Team team_;
    bool backwards_ = false;  // whether `for_slices` goes next from the last shard of each thread to the first
    Batch batch_;
    std::vector<Workspace> workspaces_;           // by slice if there are stages, whose maps must stay; else by thread
    std::vector<Scratch> scratches_;              // by thread
    std::vector<Buffer<float>> block_gradients_;  // by thread
    std::vector<Block> blocks_;
    std::vector<int> panel_blocks_;               // number of blocks of each panel
    std::vector<std::atomic<int>> panel_left_;    // blocks of each panel that the present step has yet to update
    std::vector<Buffer<float>> whole_gradients_;  // by block, if the gradient is clipped
    std::vector<double> squares_;                 // by block: its gradient's sum of squares
};

}  // namespace convscope
