/* A byte becomes the integer byte - 128. */
static inline void PREFIX_read_image(const uint8_t *image, int32_t size, int8_t *y)
{
    for (int32_t i = 0; i < size; i++) {
        y[i] = (int8_t)(image[i] - 128);
    }
}
