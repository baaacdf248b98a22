// Batch normalisation, with or without relu: y = act(gamma (x - mean) / sqrt(variance + epsilon) + beta), by channel.
//
// In training, mean and variance are taken over all pixels of the batch, so every image must have arrived before any
// can continue: a plan is cut into stages here. A slice is 8 images that go together. The calls are `measure` (each
// slice), `merge` (once, in the order of the slices), `forward`, and back `add_sums` (each slice), `merge_back` (once),
// `write_input_gradient`. With the moving statistics, as in prediction, they are `use_moving` (once), `forward` and
// `backward`.
//
// The backward pass, with h = (x - mean) / sqrt(variance + epsilon) and averages over the batch's pixels:
//     dbeta = sum of dy    dgamma = sum of dy h    dx = gamma / sqrt(variance + epsilon) (dy - average dy - h average dy h)
// Source: Ioffe and Szegedy 2015, section 3.
#pragma once

#include "map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

class BatchNormalization final : public MapLayer {
   public:
    BatchNormalization(const StepContext& context, const Parameters& parameters, MovingStatistics& moving);

    // Makes the arrays for a batch of `slices` slices, 0 in a prediction.
    Statistics make_statistics(int64_t slices) const;

    // Measures means and squared distances of images [0, count) of a slice. `merge` merges those of all slices of a
    // batch of `images`, and computes the factors of the forward pass.
    void measure(Workspace& workspace, int64_t count) const;
    void merge(Statistics& statistics, int64_t images) const;
    // Moves the moving statistics towards those of the batch, and their running average towards the new values.
    void update_moving(const Statistics& statistics, float average_rate) const;
    // Prepares a prediction: the statistics become the moving ones.
    void use_moving(Statistics& statistics) const;

    void forward(Workspace& workspace, int64_t begin, int64_t end) const override;
    // Both halves of the backward pass, for statistics that do not depend on the images (moving ones).
    void backward(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const override;
    // First half: adds dgamma and dbeta to the shard's sums. `merge_back` computes the factors of the second half from
    // those of all shards, at `offset` of each.
    void add_sums(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const;
    void merge_back(Statistics& statistics, const Batch& batch, int64_t images, int64_t offset) const;
    void write_input_gradient(Workspace& workspace, int64_t begin, int64_t end) const;

    Extents extents() const override;
    int64_t scratch_size() const override { return 3 * row_ + input_.value.shape.width * layer_.input.channels; }
    int64_t gradient_size() const override { return 2 * row_; }  // dgamma of each channel, then dbeta
    void collect(const Batch& batch, int64_t images, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                 float* total) const override;

   private:
    void make_factors(Statistics& statistics) const;

    const Parameters& parameters_;
    MovingStatistics& moving_;
    void repeat(Buffer<float>& factors) const;

    const int64_t channels_, row_, pixels_;  // row_ is channels_ rounded up to a panel, pixels_ those of an image
    // Factors of few channels are repeated up to whole registers: of 6 channels 8 times for registers of 16 numbers.
    const int64_t period_;
};

}  // namespace convscope
