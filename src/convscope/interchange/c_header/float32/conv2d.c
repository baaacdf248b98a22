/* y[i, j, f] = bias[f] + sum over u, v, c of x[i * row_stride + u - top, j * column_stride + v - left, c] *
   kernel[f, u, v, c], added in this order: the bias, then window rows, window columns, channels. Pixels outside the map
   are left out. */
static inline void PREFIX_conv2d(
    const float *x, int32_t height, int32_t width, int32_t channels, const float *kernel, const float *bias,
    int32_t rows, int32_t columns, int32_t row_stride, int32_t column_stride, int32_t top, int32_t left, float *y,
    int32_t y_height, int32_t y_width, int32_t filters)
{
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t f = 0; f < filters; f++) {
                float sum = bias[f];
                for (int32_t u = 0; u < rows; u++) {
                    const int32_t row = i * row_stride + u - top;
                    if (row < 0 || row >= height) {
                        continue;
                    }
                    for (int32_t v = 0; v < columns; v++) {
                        const int32_t column = j * column_stride + v - left;
                        if (column < 0 || column >= width) {
                            continue;
                        }
                        const float *pixel = x + (row * width + column) * channels;
                        const float *weight = kernel + ((f * rows + u) * columns + v) * channels;
                        for (int32_t c = 0; c < channels; c++) {
                            sum += pixel[c] * weight[c];
                        }
                    }
                }
                *y++ = sum;
            }
        }
    }
}
