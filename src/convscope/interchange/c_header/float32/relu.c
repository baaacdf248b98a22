static inline void PREFIX_relu(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = y[i] > 0.0f ? y[i] : 0.0f;
    }
}
