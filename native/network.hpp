// A network: its weights, and the passes over slices of a batch that prediction and training are made of.
//
// A batch is cut into slices of a fixed number of images, and the slices into a fixed number of shards; a shard is what
// one thread does without looking at another. Maps go through their layers a few images at a time, so that they stay in
// cache; vectors go a slice at once. No sum depends on which thread did what.
#pragma once

#include <memory>
#include <vector>

#include "augmentation.hpp"
#include "instruction_set.hpp"
#include "plan.hpp"

namespace convscope {

constexpr int64_t most_shards = 16;

// Images as the file has them; image i of a batch is the `indices[i]`-th, or the i-th without indices. For what is done at
// random, dropout and augmentation, it is the one at `chance.first` + i of the epoch's order.
struct Images {
    const uint8_t* bytes = nullptr;
    const int64_t* labels = nullptr;
    const int64_t* indices = nullptr;
    Chance chance;
    const Augmentation* augmentation = nullptr;
    int64_t index(int64_t i) const { return indices ? indices[i] : i; }
};

// What is added up over the images: the cross-entropy with labels of which `smoothing` is spread over all classes, times
// the weight of the image's class.
struct Loss {
    float smoothing = 0;
    std::vector<float> class_weights;  // by class, or empty: one each
};

class Network {
   public:
    Network(const Input& input, const std::vector<Layer>& layers, const Kernels& kernels);

    const Kernels& kernels() const { return kernels_; }
    const Input& input() const { return input_; }
    const std::vector<Layer>& layers() const { return layers_; }
    const Plan& plan() const { return *plan_; }
    Parameters* parameters(std::size_t layer) { return parameters_[layer].get(); }
    int64_t classes() const { return layers_.back().output.size(); }

    // Of another kind than `plan`, which is for training and prediction.
    Plan make_plan(Purpose purpose) const;

    // For one slice, without its scratch; where `training` is false, for the way there alone.
    Workspace make_workspace(const Plan& plan, bool training) const;
    Scratch make_scratch(const Plan& plan, bool training) const;
    Batch make_batch(const Plan& plan, int64_t images, int64_t shards, bool training) const;

    // Computes images [begin, end) of the batch, at most slice_images, up to the logits.
    void forward(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin,
                 int64_t end) const;
    // The same in parts: reads the images, and computes steps [first, last) of a plan for all of them.
    void read(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin, int64_t end) const;
    void forward_steps(const Plan& plan, Workspace& workspace, std::size_t first, std::size_t last, int64_t count) const;
    // Writes losses and `correct`, and from the logits the gradients of everything; adds those of weights to `shard`, but
    // for dense layers'. `scale` is what an image's gradient counts for: one part of the batch.
    void backward(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin,
                  int64_t end, const Loss& loss, float scale, float* shard) const;
    // The same from a gradient by the logits that `write_logits_gradient` wrote for each of `count` images; `shard` may be null.
    void backward_steps(const Plan& plan, Workspace& workspace, int64_t count, float* shard) const;
    void write_logits_gradient(const Plan& plan, Workspace& workspace, int64_t i, const float* gradient) const;

    // Copies a layer's output for image `i` of the slice just computed by a full plan.
    void read_layer(const Plan& plan, const Workspace& workspace, std::size_t layer, int64_t i, float* output) const;
    // The same of the gradient by a map, by a plan for gradients.
    void read_gradient(const Plan& plan, const Workspace& workspace, std::size_t map, int64_t i, float* output) const;

   private:
    // Points the workspace's vectors to their places in the batch.
    void bind(const Plan& plan, Workspace& workspace, Batch& batch, int64_t begin) const;
    void read_image(const Plan& plan, Workspace& workspace, const Images& images, int64_t begin, int64_t i, bool is_last) const;
    // Steps on maps for images [begin, end) of the slice.
    void forward_maps(const Plan& plan, Workspace& workspace, std::size_t first, std::size_t last, int64_t begin, int64_t end) const;
    void forward_vectors(const Plan& plan, Workspace& workspace, std::size_t first, std::size_t last, int64_t count) const;
    void score(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin, int64_t end,
               const Loss& loss, float scale) const;

    Input input_;
    std::vector<Layer> layers_;
    const Kernels& kernels_;
    std::vector<std::unique_ptr<Parameters>> parameters_;
    std::vector<Parameters*> parameter_pointers_;
    std::unique_ptr<Plan> plan_;
};

}  // namespace convscope
