// The networks of `network_cases` with layers that multiply maps, and that normalise images by themselves.
#include "naive_network.hpp"

namespace convscope::test {

std::vector<Architecture> product_and_normalization_cases() {
    using A = Architecture;
    const Moves same = {1, 1, true};
    return {
        // Products: of a map with relu by dense layers that follow a pooling and a flatten, in a map with padding and before
        // a normalisation; by a pooled pixel of the image, of maps of one shape, of a map to itself, and of vectors.
        A(9, 10, 3)
            .convolution(18, 3, 3, true)
            .average_pooling(7, 8, {1, 1})
            .flatten()
            .dense(5, true)
            .dense(18)
            .activated(Activation::sigmoid)
            .multiplication(0)
            .convolution(17, 3, 3, true, {2, 2, true})
            .normalization(true)
            .convolution(17, 3, 3, false, same)
            .normalization()
            .average_pooling(4, 4, {1, 1})
            .convolution(4, 1, 1, true)
            .convolution(17, 1, 1, false)
            .activated(Activation::hard_sigmoid)
            .multiplication(9)
            .addition(7, true)
            .flatten()
            .dense(20, true)
            .multiplication(16)
            .dense(19)
            .activated(Activation::tanh)
            .dense(20)
            .multiplication(17)
            .dense(4),
        A(7, 6, 2)
            .average_pooling(7, 6, {1, 1})
            .dense(3, true)
            .dense(2)
            .multiplication(-1)
            .convolution(6, 3, 3, true)
            .multiplication(4)
            .convolution(6, 3, 3, true, same)
            .multiplication(5)
            .max_pooling(2, 2, {2, 2})
            .flatten()
            .dense(3),
        // Layer normalisation (0 groups) and group normalisation: of the image, of maps with relu, with padding and with
        // strides, before a pooling, in a residual block, of one pixel, of vectors, and of logits.
        A(9, 10, 4)
            .group_normalization(2)
            .convolution(18, 3, 3, true)
            .group_normalization(0)
            .convolution(18, 3, 3, false, {2, 1, true})
            .group_normalization(6)
            .activation(Activation::gelu)
            .convolution(18, 3, 3, true, same)
            .group_normalization(18)
            .addition(4, true)
            .group_normalization(1)
            .max_pooling(2, 2, {2, 2})
            .depthwise(1, 2, 2, false)
            .normalization(true)
            .group_normalization(3)
            .flatten()
            .dense(20, true)
            .dense(4),
        A(7, 6, 2)
            .convolution(18, 7, 6, false)
            .group_normalization(2)
            .flatten()
            .dense(20, true)
            .group_normalization(0)
            .dense(20, true)
            .group_normalization(2)
            .dense(5)
            .group_normalization(1),
        A(5, 4, 1).group_normalization(1).flatten().dense(3),
    };
}

}  // namespace convscope::test
