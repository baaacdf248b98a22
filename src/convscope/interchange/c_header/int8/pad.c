/* The map x with the integer of zero around it. */
static inline void PREFIX_pad(
    const int8_t *x, int32_t height, int32_t width, int32_t channels, int32_t top, int32_t left, int8_t *y,
    int32_t y_height, int32_t y_width, int8_t zero)
{
    for (int32_t i = -top; i < y_height - top; i++) {
        for (int32_t j = -left; j < y_width - left; j++) {
            for (int32_t c = 0; c < channels; c++) {
                const int inside = i >= 0 && i < height && j >= 0 && j < width;
                *y++ = inside ? x[(i * width + j) * channels + c] : zero;
            }
        }
    }
}
