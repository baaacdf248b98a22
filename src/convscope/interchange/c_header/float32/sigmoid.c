static inline void PREFIX_sigmoid(float *y, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = 1.0f / (1.0f + expf(-y[i]));
    }
}
