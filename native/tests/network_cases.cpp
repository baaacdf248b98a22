// Networks whose shapes fill neither a register nor a tile, with every kind of layer and every fusion of layers.
//
// The arguments, declared in naive_network.hpp:
//     A(height, width, channels)    convolution(filters, rows, columns, has relu, Moves)    depthwise(multiplier, ...)
//     Moves: {stride down, stride right, "same" padding, row dilation, column dilation, groups}
//     addition(l), branch(l), concatenation(l): l is the layer that is read besides, from 0, or -1 for the image
#include "naive_network.hpp"

namespace convscope::test {

std::vector<Architecture> network_cases() {
    using A = Architecture;
    std::vector<Architecture> cases = {
        A(7, 9, 1).flatten().dense(3),
        A(6, 5, 3).flatten().dense(33, true).dense(17, true).dense(2),
        A(1, 1, 1).flatten().dense(2),
        // The notebook's network, smaller.
        A(14, 14, 1)
            .convolution(16, 3, 3)
            .max_pooling(2, 2, {2, 2})
            .convolution(32, 3, 3)
            .max_pooling(2, 2, {2, 2})
            .flatten()
            .dense(10),
        // Convolutions fused with a pooling. Of some sizes `winners_input` computes the input gradient, of others not.
        A(11, 13, 3)
            .convolution(5, 3, 3)
            .max_pooling(2, 2, {2, 2})
            .convolution(19, 5, 5, true, same)
            .max_pooling(2, 2, {2, 2})
            .flatten()
            .dense(4),
        A(9, 12, 2)
            .convolution(7, 2, 4)
            .max_pooling(2, 2, {2, 2})
            .convolution(6, 1, 3)
            .max_pooling(4, 1, {1, 1})
            .flatten()
            .dense(3),
        A(12, 9, 1)
            .convolution(33, 3, 3, false)
            .max_pooling(1, 4, {2, 3})
            .convolution(18, 3, 3, false, same)
            .max_pooling(2, 2, {1, 1})
            .flatten()
            .dense(5),
        A(10, 10, 1).convolution(4, 3, 3).convolution(8, 3, 3, true, same).max_pooling(2, 2, {2, 2}).flatten().dense(3),
        // Strides, paddings, and poolings that no convolution is fused with.
        A(13, 11, 1).convolution(6, 3, 3, true, {2, 2, true}).convolution(17, 3, 2, true, {1, 2}).flatten().dense(3),
        A(12, 12, 3)
            .max_pooling(2, 2, {2, 2})
            .convolution(9, 3, 3)
            .max_pooling(3, 3, {1, 1})
            .max_pooling(2, 2, {1, 1})
            .flatten()
            .dense(3),
        A(9, 9, 1)
            .convolution(3, 5, 5, true, {3, 1, true})
            .max_pooling(3, 2, {1, 2})
            .convolution(2, 1, 1, false)
            .flatten()
            .dense(2),
        A(8, 8, 1).max_pooling(2, 2, {2, 2}).flatten().dense(4, true).dense(2),
        // Winograd convolutions: each algorithm, maps of whole and of partial tiles, with and without padding, with
        // channels that fill no register, and before every kind of layer.
        A(9, 11, 1)
            .convolution(17, 1, 1)
            .convolution(16, 3, 3, true, same)
            .convolution(35, 3, 3, false)
            .max_pooling(3, 3, {2, 2})
            .convolution(19, 3, 3)
            .flatten()
            .dense(3),
        A(13, 10, 3)
            .convolution(33, 1, 1)
            .convolution(16, 5, 5, true, same)
            .convolution(18, 5, 5)
            .convolution(16, 5, 5, false, same)
            .activated(Activation::tanh)
            .convolution(17, 3, 3)
            .convolution(16, 5, 4, false)
            .flatten(),
        A(9, 7, 3)
            .max_pooling(3, 3, {2, 2, true})
            .convolution(5, 3, 3)
            .max_pooling(2, 2, {1, 1, true})
            .flatten()
            .dense(3),
        // Average poolings: of whole windows, of windows that reach into the padding, and of the whole map.
        A(11, 12, 1)
            .convolution(17, 3, 3)
            .average_pooling(2, 2, {2, 2})
            .convolution(6, 2, 2, true, same)
            .average_pooling(3, 3, {2, 2, true})
            .convolution(35, 1, 1)
            .average_pooling(2, 3, {1, 1})
            .flatten()
            .dense(3),
        // Depthwise convolutions: as the first layer, between others, strided, with several outputs per channel.
        A(10, 11, 3)
            .depthwise(6, 3, 3, true, same)
            .convolution(34, 1, 1)
            .depthwise(1, 3, 3, true, {2, 2, true})
            .depthwise(2, 2, 3, false)
            .max_pooling(2, 2, {2, 2})
            .flatten()
            .dense(3),
        // Dilation: of the image, of few and many channels, along one axis and both, before a pooling that would be
        // fused without dilation, wider than the map, and of a depthwise convolution.
        A(15, 17, 1)
            .convolution(9, 3, 3, true, {1, 1, true, 2, 3})
            .convolution(18, 3, 2, true, {1, 1, false, 3, 1})
            .max_pooling(2, 2, {2, 2})
            .depthwise(1, 2, 3, true, {1, 1, true, 2, 2})
            .convolution(7, 2, 4, false, {1, 1, true, 1, 9})
            .depthwise(3, 3, 1, true, {1, 1, true, 5, 1})
            .max_pooling(2, 2, {2, 2})
            .flatten()
            .dense(3),
        A(9, 8, 3)
            .convolution(35, 3, 3, true, {1, 1, false, 2, 2})
            .convolution(3, 2, 2, false, {1, 1, true, 4, 3})
            .convolution(6, 5, 5, false, {1, 1, true, 2, 2})
            .activated(Activation::gelu)
            .average_pooling(2, 2, {2, 2})
            .flatten()
            .dense(3),
        // Groups: few and many channels and filters, strided, dilated, one filter per group, and one channel per group.
        A(9, 10, 4)
            .convolution(6, 3, 3, true, {1, 1, true, 1, 1, 2})
            .convolution(72, 3, 2, true, {2, 1, true, 1, 1, 3})
            .convolution(32, 3, 3, true, {1, 1, true, 1, 1, 8})
            .max_pooling(2, 2, {2, 2})
            .convolution(64, 3, 3, false, {1, 1, true, 2, 2, 2})
            .convolution(16, 1, 1, true, {1, 1, false, 1, 1, 16})
            .convolution(32, 2, 2, true, {1, 1, true, 2, 1, 16})
            .normalization()
            .convolution(32, 3, 1, true, {1, 1, true, 1, 1, 32})
            .flatten()
            .dense(3),
        // Activations: of maps and vectors, before a pooling of either kind, and of the layer before the logits.
        A(12, 12, 1)
            .convolution(9, 3, 3, false)
            .activated(Activation::gelu)
            .max_pooling(2, 2, {2, 2})
            .convolution(18, 3, 3, false, same)
            .activated(Activation::leaky_relu)
            .max_pooling(2, 2, {2, 2})
            .depthwise(1, 2, 2, false)
            .activated(Activation::tanh)
            .flatten()
            .dense(19)
            .activated(Activation::sigmoid)
            .dense(17)
            .activated(Activation::gelu)
            .dense(4),
        A(9, 10, 2)
            .convolution(5, 2, 2, false)
            .activated(Activation::sigmoid)
            .average_pooling(2, 2, {2, 2})
            .convolution(7, 3, 3, false, {2, 1, true})
            .activated(Activation::tanh)
            .flatten()
            .dense(3),
        // Dropout, which changes values only in training.
        A(8, 9, 2)
            .dropout(0.1)
            .convolution(6, 3, 3)
            .dropout(0.5)
            .max_pooling(2, 2, {2, 2})
            .dropout(0.25)
            .flatten()
            .dense(18, true)
            .dropout(0.5)
            .dense(3),
        // Batch normalisation: of the image, of maps that a frame, a pooling or a dense layer reads, and of vectors.
        A(9, 10, 3)
            .normalization()
            .convolution(18, 3, 3, false)
            .normalization(true)
            .convolution(33, 3, 3, false, same)
            .normalization()
            .activated(Activation::gelu)
            .max_pooling(2, 2, {2, 2})
            .normalization(true)
            .depthwise(2, 2, 2, false)
            .normalization(true)
            .normalization()
            .flatten()
            .normalization(true)
            .dense(35)
            .normalization(true)
            .dropout(0.25)
            .dense(3)
            .normalization(),
        // Additions: of a pooled map, of a layer to itself, of an activated and a strided layer, of a sum to a sum, of
        // a flattened map to a vector, and of logits.
        A(12, 11, 2)
            .convolution(17, 3, 3)
            .max_pooling(2, 2, {2, 2})
            .convolution(17, 3, 3, false, same)
            .addition(1, true)
            .convolution(17, 1, 1, false)
            .activated(Activation::tanh)
            .addition(4)
            .addition(3)
            .activated(Activation::gelu)
            .addition(1, true)
            .convolution(5, 3, 3, true, {2, 2, true})
            .addition(8)
            .flatten()
            .dense(30, true)
            .addition(10)
            .addition(11, true)
            .dense(4)
            .dense(4)
            .addition(14),
        // Additions to vectors: of a pooled map before the first dense layer, and before and after a flatten.
        A(6, 7, 2)
            .convolution(7, 3, 3)
            .average_pooling(4, 5, {4, 5})
            .dropout(0.25)
            .dense(7, true)
            .addition(1)
            .flatten()
            .addition(4, true)
            .dense(3),
        A(5, 4, 3).average_pooling(5, 4, {5, 4}).flatten().addition(0).flatten().flatten().addition(2).dense(3),
        // Residual blocks with batch normalisation.
        A(8, 9, 1)
            .normalization()
            .addition(0)
            .convolution(16, 3, 3, false)
            .normalization(true)
            .convolution(16, 3, 3, false, same)
            .normalization()
            .addition(3, true)
            .depthwise(1, 3, 3, false, same)
            .normalization()
            .addition(6)
            .average_pooling(6, 7, {1, 1})
            .flatten()
            .addition(11, true)
            .dense(3),
        // Branches: a shortcut with a convolution and a normalisation, and concatenated channels.
        A(9, 8, 2)
            .convolution(9, 3, 3)
            .convolution(7, 3, 3, true, same)
            .convolution(12, 3, 3, false, {2, 2, true})
            .normalization()
            .branch(1)
            .convolution(12, 1, 1, false, {2, 2})
            .normalization()
            .addition(3, true)
            .max_pooling(2, 2, {1, 1, true})
            .branch(7)
            .convolution(5, 1, 1)
            .concatenation(8)
            .concatenation(7)
            .dropout(0.25)
            .flatten()
            .dense(4),
        // Branches of the image, of a map that was flattened before, and of vectors on both sides of the first dense
        // layer.
        A(6, 7, 3)
            .convolution(5, 3, 3, false)
            .activated(Activation::tanh)
            .concatenation(0)
            .flatten()
            .dropout(0.25)
            .branch(-1)
            .convolution(6, 2, 2, true, {2, 2})
            .average_pooling(3, 3, {1, 1})
            .concatenation(3)
            .dense(8, true)
            .branch(3)
            .dense(8)
            .addition(8)
            .concatenation(6)
            .branch(12)
            .dense(3),
        A(5, 4, 2).convolution(3, 3, 3, true, same).concatenation(-1).depthwise(2, 2, 2, true).flatten().dense(3),
        // Ensembles: of a network with a dense layer and one without, of logits after relu, and of maps.
        A(7, 6, 2)
            .convolution(6, 3, 3)
            .flatten()
            .branch(-1)
            .convolution(20, 7, 6)
            .flatten()
            .branch(1)
            .dense(20)
            .branch(4)
            .concatenation(6)
            .soft_voting(2),
        A(5, 5, 1).convolution(3, 3, 3, false).flatten().dense(12, true).soft_voting(3),
        A(5, 4, 2).convolution(15, 5, 4).soft_voting(5),
        // No dense layer: the last map holds the logits.
        A(6, 6, 2).convolution(8, 3, 3).convolution(5, 4, 4, false).flatten(),
        // Zero padding and activations as layers: of the image, of maps with padding and with strides, of vectors, and
        // of logits. A window of the first pooling may lie in the zeros alone.
        A(7, 9, 3)
            .zero_padding(1, 2, 0, 3)
            .convolution(18, 3, 3, false)
            .activation(Activation::relu)
            .zero_padding(2, 2, 2, 2)
            .convolution(17, 5, 5, false)
            .normalization()
            .activation(Activation::leaky_relu, 0.05f)
            .zero_padding(0, 1, 1, 0)
            .max_pooling(2, 2, {2, 2})
            .activation(Activation::none)
            .zero_padding(3, 0, 0, 1)
            .depthwise(1, 3, 3, false)
            .activation(Activation::gelu)
            .flatten()
            .activation(Activation::tanh)
            .dense(19)
            .activation(Activation::relu)
            .dense(4)
            .activation(Activation::none),
        A(6, 7, 2)
            .convolution(9, 3, 3)
            .zero_padding(1, 1, 1, 1)
            .activation(Activation::sigmoid)
            .convolution(9, 1, 1, false, {2, 2})
            .zero_padding(2, 1, 1, 2)
            .addition(1)
            .activation(Activation::leaky_relu, 0)
            .addition(5, true)
            .activation(Activation::none)
            .addition(6)
            .average_pooling(6, 7, {1, 1})
            .activation(Activation::none),
        A(1, 2, 1).zero_padding(2, 0, 2, 1).max_pooling(2, 2, {2, 2}).flatten().dense(2),
        // Activations that compute less than they could read: the next layer leaves out rows and columns, and the layer
        // before (batch normalization, dropout, zero padding or the image) still gives its whole output.
        A(17, 17, 1)
            .convolution(9, 3, 3)
            .max_pooling(2, 2, {2, 2})
            .convolution(18, 3, 3, false)
            .normalization()
            .activation(Activation::relu)
            .max_pooling(2, 2, {2, 2})
            .flatten()
            .dense(3),
        A(14, 13, 2)
            .activation(Activation::tanh)
            .average_pooling(3, 2, {3, 2})
            .convolution(17, 1, 1, false)
            .dropout(0.25)
            .activation(Activation::leaky_relu)
            .activation(Activation::sigmoid)
            .convolution(5, 2, 1, false, {1, 3})
            .zero_padding(1, 2, 3, 0)
            .activation(Activation::gelu)
            .depthwise(2, 2, 2, false, {2, 2})
            .flatten()
            .dense(3),
        // Learned slopes: of the image, of maps with padding and with pixels that no layer reads, of vectors, and of
        // logits.
        A(9, 11, 3)
            .prelu()
            .convolution(18, 3, 3, false)
            .prelu()
            .zero_padding(1, 0, 2, 1)
            .depthwise(2, 3, 3, false, same)
            .prelu()
            .convolution(33, 2, 2, false)
            .prelu()
            .max_pooling(3, 2, {3, 3})
            .flatten()
            .prelu()
            .dense(19)
            .prelu()
            .addition(11)
            .dense(4)
            .prelu(),
    };
    for (const Architecture& architecture : product_and_normalization_cases()) cases.push_back(architecture);
    return cases;
}

}  // namespace convscope::test
