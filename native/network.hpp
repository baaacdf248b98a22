// A network: its weights, and the passes over slices of a batch that prediction and training are made of.
//
// A batch is cut into slices of a fixed number of images, and the slices into a fixed number of shards; a shard is what
// one thread does without looking at another. Maps go through their layers a few images at a time, so that they stay in
// cache; vectors go a slice at once. No sum depends on which thread did what.
#pragma once

#include <memory>
#include <vector>

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
    int64_t index(int64_t i) const { return indices ? indices[i] : i; }
};

// What is added up over the images: the cross-entropy with labels of which `label_smoothing` is spread over all classes, times
// the weight of the image's class.
struct Loss {
    float label_smoothing = 0;
    std::vector<float> class_weights;  // by class, or empty: one each

    template <class Visit>
    static constexpr void for_fields(Visit visit) {
        visit("label_smoothing", &Loss::label_smoothing);
        visit("class_weights", &Loss::class_weights);
    }
};

// What of a slice stays where it is until the slice is through: the logits alone, every map, or what the way back needs.
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

    // Of another kind than `plan`, which is for training and prediction.
    Plan make_plan(Purpose purpose) const;

    // For one slice, without its scratch.
    Workspace make_workspace(const Plan& plan, Kept kept) const;
    Scratch make_scratch(const Plan& plan, Kept kept) const;
    Batch make_batch(const Plan& plan, int64_t images, int64_t shards, Kept kept) const;
    // Lets the batch normalise by the moving statistics, as they and the weights are now.
    void use_moving_statistics(const Plan& plan, Batch& batch) const;

    // Images [begin, end) of the batch, at most slice_images, go through steps that begin a plan or a stage of it. Where the
    // statistics are the batch's, the slice measures its part for the next stage.
    void forward(const Plan& plan, Range steps, Workspace& workspace, Batch& batch, const Images& images, int64_t begin,
                 int64_t end) const;
    // The same in parts: reads images [begin, end) of the batch, and later takes them through steps that begin anywhere. A
    // step may go on from maps that somebody changed.
    void read(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin, int64_t end) const;
    void forward_read(const Plan& plan, Range steps, Workspace& workspace, int64_t count) const;
    // Writes losses, `correct` and the gradient by the logits. `scale` is what an image's gradient counts for.
    void score(const Plan& plan, Workspace& workspace, Batch& batch, const Images& images, int64_t begin, int64_t end,
               const Loss& loss, float scale) const;
    // Writes the gradient by the logits of image `i` of the slice just computed.
    void write_logits_gradient(const Plan& plan, Workspace& workspace, int64_t i, const float* gradient) const;
    // The way back through the same steps; adds the gradients by weights to `shard`, but for dense layers', unless it is
    // null. A batch normalisation that begins a stage adds its sums with it, and writes its gradient with the stage before.
    void backward(const Plan& plan, Range steps, Workspace& workspace, Batch& batch, int64_t begin, int64_t end,
                  float* shard) const;

    // Copies a layer's output for image `i` of the slice just computed by a full plan.
    void read_layer(const Plan& plan, const Workspace& workspace, std::size_t layer, int64_t i, float* output) const;
    // The same of the gradient by a map, by a plan for gradients.
    void read_gradient(const Plan& plan, const Workspace& workspace, std::size_t map, int64_t i, float* output) const;

   private:
    MapImages make_gradients(const Plan& plan, std::size_t map, int64_t held) const;
    // Points the workspace to what the batch and the thread hold of its maps.
    void bind(const Plan& plan, Workspace& workspace, Batch& batch, int64_t begin) const;
    void read_image(const Plan& plan, Workspace& workspace, const Images& images, int64_t begin, int64_t i, bool is_last) const;
    void forward_maps(const Plan& plan, Range steps, Workspace& workspace, int64_t begin, int64_t end) const;
    void forward_vectors(const Plan& plan, Range steps, Workspace& workspace, int64_t count) const;
    void step_back(const Plan& plan, Range steps, std::size_t step, Workspace& workspace, int64_t begin, int64_t end,
                   float* shard) const;

    Input input_;
    std::vector<Layer> layers_;
    const Kernels& kernels_;
    std::vector<std::unique_ptr<Parameters>> parameters_;
    std::vector<Parameters*> parameter_pointers_;
    std::vector<std::unique_ptr<MovingStatistics>> moving_;
    std::vector<MovingStatistics*> moving_pointers_;
    std::unique_ptr<Plan> plan_;
};

}  // namespace convscope
