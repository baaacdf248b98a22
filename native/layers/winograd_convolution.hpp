// A convolution with bias and relu by Winograd's algorithm, if `choose_winograd` has one for it.
//
// With B, G and A the transforms of kernels/winograd_transforms.hpp, a tile x of the input, kernels g and output tile y:
//
//     X = B' x B    W = G g G'    Y[position] = sum over channels of X[position] W[position]    y = A' Y A
//
// A position is a number of a transformed tile: 36 of them if tiles of 4 x 4 outputs read 6 x 6 pixels. For each, Y is
// a matrix product: the tiles of a block of images times the filters. The backward pass takes the transpose of each
// step on the same tiles: with dY = A dy A', dX = dY W' and dW = X' dY. So the padding of a valid convolution is never
// multiplied.
#pragma once

#include "weighted_layer.hpp"

namespace convscope {

class WinogradConvolution final : public WeightedLayer {
   public:
    WinogradConvolution(const StepContext& context, Parameters& parameters);

    // The layouts that `forward` reads and in which `backward` reads the output gradient: padded to whole tiles.
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
    // Tiles [first_tile, end_tile) of images [begin, end) of the slice: whole images, or a part of one.
    struct Block {
        int64_t begin, end, first_tile, end_tile;
        int64_t tiles() const { return (end - begin) * (end_tile - first_tile); }
    };
    // How a map lies in memory, and the offset of the first pixel of each of its tiles.
    struct TiledMap {
        const Layout& layout;
        const std::vector<int64_t>& offsets;
    };
    // A matrix (tile, channel) for each position, of one block.
    struct Transformed {
        float* numbers;
        int64_t position_step, tile_step;
        const int64_t* rows;  // offset of each tile
    };

    template <class Work>
    void for_each_block(int64_t begin, int64_t end, Work work) const;
    // Calls `kernel`, one of the transforms, for the block's tiles of a map, image by image. image(i) is the memory of image
    // i's map; `tiles` has the channels, and for outputs bias and relu.
    template <class Image>
    void transform(const Block& block, void (*kernel)(const WinogradTiles&), const TiledMap& map,
                   const Transformed& transformed, WinogradTiles tiles, Image image) const;
    // Returns the products, by position, of the tiles `from` with a panel of weights; the caller sets panel and columns.
    Product product_of(const Block& block, const Transformed& from, int64_t channels, const Transformed& to) const;
    // The product meanwhile fetches `next`, the maps that the next block reads.
    void add_kernel_gradient(const Block& block, const Transformed& input, const Transformed& output_gradient,
                             float* products, float* gradient, const Fetch& next) const;
    // Returns what products are to fetch for the maps of images [begin, end): nothing if a block is a part of an image.
    Fetch fetch(const MapImages& map, int64_t begin, int64_t end) const;
    Fetch fetch_by_tile(const MapImages& map, const Block& block) const;
    void add_input_gradient(const Block& block, const Transformed& output_gradient, float* products,
                            float* frames) const;
    void write_from_frame(Workspace& workspace, int64_t image, const float* frame) const;

    int64_t products_size() const;  // numbers of a block's products with one panel

    const WinogradAlgorithm algorithm_;
    const WinogradSizes sizes_;
    Layout frame_;  // in which the input gradient is summed: all pixels that tiles read, channels up to whole registers
    int64_t tiles_ = 0;                           // tiles of an image
    int64_t block_images_ = 1, block_tiles_ = 1;  // of a block, at most: whole images, or part of one
    int64_t input_step_ = 0, output_step_ = 0;    // from tile to tile in the transformed maps
    std::vector<int64_t> reads_, writes_, gradient_reads_, frame_offsets_;  // offset of each tile's first pixel in a map
    std::vector<int64_t> inside_;  // (tiles, 2): rows and columns of a tile that lie within the output
    std::vector<int64_t> input_rows_, output_rows_, product_rows_, channels_;  // row offsets of products: i step
};

}  // namespace convscope
