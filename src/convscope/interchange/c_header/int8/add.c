/* The sum of two values, each brought to the steps of the result; y may be either of them. */
static inline void PREFIX_add(
    const int8_t *a, int32_t a_zero, int32_t a_multiplier, const int8_t *b, int32_t b_zero, int32_t b_multiplier,
    int32_t bias, int32_t shift, int32_t size, int8_t *y, int32_t y_zero)
{
    for (int32_t i = 0; i < size; i++) {
        const int32_t sum = (a[i] - a_zero) * a_multiplier + (b[i] - b_zero) * b_multiplier + bias;
        y[i] = PREFIX_requantize(sum, 1, shift, y_zero);
    }
}
