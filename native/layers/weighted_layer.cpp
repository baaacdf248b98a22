#include "weighted_layer.hpp"

namespace convscope {

void WeightedLayer::collect(const Batch& batch, int64_t, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                            float* total) const {
    const int64_t width = kernels_.panel_width;
    add_shards(batch.shards, offset + panel * parameters_.panel_size() + begin * width, (end - begin) * width, kernels_,
               total);
}

void WeightedLayer::add_bias_gradient(const float* output_gradient, float* gradient) const {
    const Layout& layout = output_.gradient;
    const float unit = 1;  // the bias is the weight of a constant input of 1
    const int64_t zero = 0;
    Product p;
    p.a = &unit;
    p.a_rows = p.c_rows = &zero;
    p.a_step = 0;
    p.b_segment = layout.step[0] * layout.row();
    p.b_step = layout.step[1] * layout.shape.channels;
    p.segments = layout.shape.height;
    p.length = layout.shape.width;
    p.rows = 1;
    p.finish = Finish::accumulate;
    for (int64_t panel = 0; panel < parameters_.panels(); ++panel) {
        p.b = output_gradient + layout.at(0, 0) + parameters_.first_filter(panel);
        p.columns = parameters_.columns(panel);
        p.c = gradient + panel * parameters_.panel_size() + parameters_.inputs() * kernels_.panel_width;
        kernels_.multiply(p);
    }
}

}  // namespace convscope
