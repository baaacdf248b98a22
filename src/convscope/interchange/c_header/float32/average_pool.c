/* The mean of each window, summed by rows; pixels outside the map are not counted. May work in place where top and left
   are 0. */
static inline void PREFIX_average_pool(
    const float *x, int32_t height, int32_t width, int32_t channels, int32_t rows, int32_t columns,
    int32_t row_stride, int32_t column_stride, int32_t top, int32_t left, float *y, int32_t y_height,
    int32_t y_width)
{
    for (int32_t i = 0; i < y_height; i++) {
        for (int32_t j = 0; j < y_width; j++) {
            for (int32_t c = 0; c < channels; c++) {
                float sum = 0.0f;
                int32_t pixels = 0;
                for (int32_t u = 0; u < rows; u++) {
                    const int32_t row = i * row_stride + u - top;
                    for (int32_t v = 0; v < columns; v++) {
                        const int32_t column = j * column_stride + v - left;
                        if (row >= 0 && row < height && column >= 0 && column < width) {
                            sum += x[(row * width + column) * channels + c];
                            pixels++;
                        }
                    }
                }
                *y++ = sum / (float)pixels;
            }
        }
    }
}
