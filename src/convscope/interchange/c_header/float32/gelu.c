/* y * (1 + erf(y / sqrt(2))) / 2, written so that no digits are lost below zero. */
static inline void PREFIX_gelu(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = 0.5f * y[i] * erfcf(-0.70710678f * y[i]);
    }
}
