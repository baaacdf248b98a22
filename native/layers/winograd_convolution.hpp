// A convolution by Winograd's way, with bias and relu, for the kernels and maps for which `choose_winograd` has an
// algorithm.
//
// What a tile of places reads is transformed to a square of positions, and so are the kernels. The sum over channels
// is, for each position, a matrix product of the tiles of some images, a block, by the filters; its transform back are
// the tile's places. The way back is the transpose of each step, on the same tiles: the gradient by the output,
// transformed, times the transformed kernels is the gradient by the transformed input, and times the transformed input
// that by the transformed kernels. So the zeros around a valid convolution are never computed with.
// kernels/winograd_transforms.hpp has the formulas.
#pragma once

#include "weighted_layer.hpp"

namespace convscope {

class WinogradConvolution final : public WeightedLayer {
   public:
    WinogradConvolution(const StepContext& context, Parameters& parameters);

    // The layout that `forward` reads, and that in which `backward` reads the gradient by the output: up to whole
    // tiles.
    static Layout input_layout(const Layer& layer);
    static Layout gradient_layout(const Layer& layer);

    Extents extents() const override;
    void forward(Workspace& workspace, int64_t begin, int64_t end) const override;
    void backward(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const override;

    std::unique_ptr<ChannelSums> channel_sums() const override;
    int64_t group() const override { return slice_images; }
    int64_t scratch_size() const override;
    int64_t forward_scratch_size() const override;

   private:
    // Tiles [first_tile, end_tile) of each of the images [begin, end) of the slice: several whole images or a part of
    // one.
    struct Block {
        int64_t begin, end, first_tile, end_tile;
        int64_t tiles() const { return (end - begin) * (end_tile - first_tile); }
    };
    // A matrix (tile, channel) for each position, of one block.
    struct Transformed {
        float* numbers;
        int64_t position_step, tile_step;
        const int64_t* rows;  // where each tile's begin
    };

    template <class Work>
    void for_each_block(int64_t begin, int64_t end, Work work) const;
    // Calls a transform of the block's tiles in a map, image by image; `offsets` are by tile of an image.
    template <class Image>
    void transform(const Block& block, void (*kernel)(const WinogradTiles&), const Layout& layout, int64_t pixel,
                   const std::vector<int64_t>& offsets, const Transformed& transformed, WinogradTiles tiles,
                   Image image) const;
    void add_kernel_gradient(const Block& block, const Transformed& input, const Transformed& output_gradient,
                             float* products, float* gradient) const;
    void add_input_gradient(const Block& block, const Transformed& output_gradient, float* products,
                            float* frames) const;
    void write_from_frame(Workspace& workspace, int64_t image, const float* frame) const;

    int64_t products_size() const;  // of one panel, for a block

    const WinogradAlgorithm algorithm_;
    const WinogradSizes sizes_;
    Layout frame_;  // of the gradient by the input while it is summed: all that the tiles read, channels up to whole
                    // registers
    int64_t tiles_ = 0;                           // of an image
    int64_t block_images_ = 1, block_tiles_ = 1;  // most of a block: one of them is 1 or all of an image's tiles
    int64_t input_step_ = 0, output_step_ = 0;    // from tile to tile in the transformed maps
    std::vector<int64_t> reads_, writes_, gradient_reads_, frame_offsets_;      // by tile
    std::vector<int64_t> inside_;                                              // by tile: rows and columns
    std::vector<int64_t> input_rows_, output_rows_, product_rows_, channels_;  // by tile of a block; 0, 1, ...
};

}  // namespace convscope
