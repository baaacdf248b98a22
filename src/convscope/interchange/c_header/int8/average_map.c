/* The mean of each whole map: y[c] = requantize(bias + sum over all pixels of (x[c] - x_zero)); the multiplier divides by
   their number. May work in place. */
static inline void PREFIX_average_map(
    const int8_t *x, int32_t pixels, int32_t channels, int32_t x_zero, int32_t bias, int32_t multiplier,
    int32_t shift, int8_t *y, int32_t y_zero)
{
    for (int32_t c = 0; c < channels; c++) {
        int32_t sum = bias;
        for (int32_t i = 0; i < pixels; i++) {
            sum += x[i * channels + c] - x_zero;
        }
        y[c] = PREFIX_requantize(sum, multiplier, shift, y_zero);
    }
}
