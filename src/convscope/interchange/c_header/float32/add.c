/* The sum of two values; y may be either of them. */
static inline void PREFIX_add(const float *a, const float *b, int32_t size, float *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = a[i] + b[i];
    }
}
