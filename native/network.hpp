// A network: its weights, and the forward and backward passes over a slice of a batch, for training.hpp, prediction.hpp
// and ablations.hpp, which choose the slices and threads.
//
//     batch   the images of a training step, or a prediction's slice alone (memory: Batch)
//     slice   8 neighbouring images of a batch, or the rest of it: what each call below computes (memory: Workspace,
//             and its thread's Scratch while it is computed)
//     shard   neighbouring slices, at most 16 shards a batch. A thread computes them in order and adds up their weight
//             gradients, the shard's sums; a later phase adds the sums of all shards in order.
//     group   Plan::group images of a slice, which go from map to map together, so that their maps stay in cache;
//             vectors go by slice
//     stage   steps of a plan that all slices of a batch finish before any begins the next stage: a batch normalisation
//             needs mean and variance of the whole batch first, so a stage begins at each. With the steps convolution,
//             pooling, normalisation, convolution, dense the stages are [0, 2) and [2, 5).
//
// In training each slice's calls are: forward through each stage, `score`, backward through the stages from last to
// first. Predictions have statistics already, and take all steps at once. Neither the cuts nor the order of the
// additions depend on the number of threads, so no result does.
#pragma once

#include <memory>
#include <vector>

#include "instruction_set.hpp"
#include "plan.hpp"

namespace convscope {

constexpr int64_t max_shards = 16;  // no more threads share a training pass; each shard has memory for its sums

// Images as bytes, one after another. Image i of a batch is image indices[i] of `bytes`, or image i without indices.
// Its position in the epoch, chance.first + i, determines its random numbers (dropout and augmentation).
struct Images {
    const uint8_t* bytes = nullptr;
    const int64_t* labels = nullptr;
    const int64_t* indices = nullptr;
    Chance chance;
    const float* weights = nullptr;  // factor of each image's loss in `Network::score`, or null if all are 1
    int64_t index(int64_t i) const { return indices ? indices[i] : i; }
};

// The loss of an image: its class's weight, times its own if images have weights, times the cross-entropy with the
// smoothed label,
// (1 - label_smoothing) one-hot + label_smoothing / classes.
struct Loss {
    float label_smoothing = 0;
    std::vector<float> class_weights;  // an entry for each class, or empty if all weights are 1

    template <class Visit>
    static constexpr void for_fields(Visit visit) {
        visit("label_smoothing", &Loss::label_smoothing);
        visit("class_weights", &Loss::class_weights);
    }
};

// What is kept until all images of a slice are computed: only the logits, every map, or what the backward pass reads.
enum class Kept { logits, maps, gradients };

class Network {
   public:
    Network(const Input& input, const std::vector<Layer>& layers, const Kernels& kernels);

    const Kernels& kernels() const { return kernels_; }
    const Input& input() const { return input_; }
    const std::vector<Layer>& layers() const { return layers_; }
    const Plan& plan() const { return *plan_; }
    Parameters* parameters(std::size_t layer) { return parameters_[layer].get(); }
    MovingStatistics* moving(std::size_t layer) { return moving_[layer].get(); }
    int64_t classes() const { return layers_.back().output.size(); }

    // Makes another plan than plan(), which is for training and prediction.
    Plan make_plan(Purpose purpose) const;

    // Make the arrays of a slice (the caller sets `scratch`), of a thread and of a batch: see network_memory.cpp.
    Workspace make_workspace(const Plan& plan, Kept kept) const;
    Scratch make_scratch(const Plan& plan, Kept kept) const;
    Batch make_batch(const Plan& plan, int64_t images, int64_t shards, Kept kept) const;
    // Makes the batch normalisations use the present moving statistics and weights.
    void use_moving_statistics(const Plan& plan, Batch& batch) const;

    // Computes `steps`, the whole plan or one of its stages, for the slice of images [begin, end) of the batch. The
    // first stage reads the images. If another follows, the slice's part of that stage's statistics is measured at the
    // end.
    void forward(const Plan& plan, Range steps, Workspace& workspace, Batch& batch, const Images& images, int64_t begin,
                 int64_t end) const;
    // The same in two parts: `read` reads images [begin, end) of the batch, and `forward_read` computes any range of
    // steps for the first `count` of them. The caller may change maps in between.
    void read(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin, int64_t end) const;
    void forward_read(const Plan& plan, Range steps, Workspace& workspace, int64_t count) const;
    // Called between `forward` and `backward`. Writes losses, `correct`, and `scale` times d loss / d logits.
    void score(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin, int64_t end,
               const Loss& loss, float scale) const;
    // Sets the gradient with respect to the logits of image `i` of the slice, where the backward pass begins.
    void write_logits_gradient(const Plan& plan, Workspace& workspace, int64_t i, const float* gradient) const;
    // The backward pass through the same steps. Adds the weight gradients to the shard's sums `shard`, unless it is
    // null. Those of dense layers are not among them: they are one product over the whole batch, which Dense::collect
    // computes when all slices are done, so no shard needs memory for sums of such large matrices.
    void backward(const Plan& plan, Range steps, Workspace& workspace, Batch& batch, int64_t begin, int64_t end,
                  float* shard) const;

    // Copies a layer's output for image `i` of the slice just computed, by a plan with Purpose::outputs.
    void read_layer(const Plan& plan, const Workspace& workspace, std::size_t layer, int64_t i, float* output) const;
    // Copies the gradient with respect to a map, by a plan with Purpose::gradients or Purpose::input_gradient.
    void read_gradient(const Plan& plan, const Workspace& workspace, std::size_t map, int64_t i, float* output) const;

   private:
    // Makes memory for the gradients with respect to a map, of `held` images at a time: see MapImages.
    MapImages make_gradients(const Plan& plan, std::size_t map, int64_t held) const;
    // Points the workspace's maps to the batch's vectors, from image `begin` on, and to the thread's gradients.
    void bind(const Plan& plan, Workspace& workspace, Batch& batch, int64_t begin) const;
    // Normalises image begin + i of the batch into the slice's first map, and prefetches the next unless it `is_last`.
    void read_image(const Plan& plan, Workspace& workspace, const Images& images, int64_t begin, int64_t i, bool is_last) const;
    // The backward pass of `step`, one of the stage `steps` or the normalisation that begins the next stage. That of
    // the stages [0, 2) and [2, 5) is step 2. Its input gradient needs sums over all images of the batch. So the second
    // stage goes back through steps 4, 3 and 2, where it only adds a slice's sums; when all slices have, the first
    // stage goes back through step 2 for its input gradient, then 1 and 0.
    void step_back(const Plan& plan, Range steps, std::size_t step, Workspace& workspace, int64_t begin, int64_t end,
                   float* shard) const;

    Input input_;
    std::vector<Layer> layers_;
    const Kernels& kernels_;
    std::vector<std::unique_ptr<Parameters>> parameters_;
    std::vector<std::unique_ptr<MovingStatistics>> moving_;
    std::unique_ptr<Plan> plan_;
};

}  // namespace convscope
