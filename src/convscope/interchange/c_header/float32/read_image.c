/* A byte becomes the number byte * scale + offset. */
static inline void PREFIX_read_image(
    const uint8_t *image, int32_t size, float scale, float offset, float *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = (float)image[i] * scale + offset;
    }
}
