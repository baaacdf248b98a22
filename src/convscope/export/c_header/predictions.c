//// predictions
/* Compute the probability of each class, PREFIX_CLASSES numbers: the softmax of the logits. */
static inline void PREFIX_probabilities(
    const uint8_t *image, float *probabilities, PREFIX_scratch *scratch)
{
    PREFIX_logits(image, probabilities, scratch);
    float largest = probabilities[0];
    for (int32_t k = 1; k < PREFIX_CLASSES; k++) {
        largest = probabilities[k] > largest ? probabilities[k] : largest;
    }
    float sum = 0.0f;
    for (int32_t k = 0; k < PREFIX_CLASSES; k++) {
        probabilities[k] = expf(probabilities[k] - largest);
        sum += probabilities[k];
    }
    for (int32_t k = 0; k < PREFIX_CLASSES; k++) {
        probabilities[k] /= sum;
    }
}

/* Return the class with the largest logit, from 0 to PREFIX_CLASSES - 1; the first of equals. */
static inline int32_t PREFIX_predict(const uint8_t *image, PREFIX_scratch *scratch)
{
    PREFIX_logits(image, scratch->logits, scratch);
    int32_t best = 0;
    for (int32_t k = 1; k < PREFIX_CLASSES; k++) {
        best = scratch->logits[k] > scratch->logits[best] ? k : best;
    }
    return best;
}

//// self_test
/* Compute the test images, and return how many of them have another label, or a logit that is off by more than
   PREFIX_SELF_TEST_TOLERANCE: 0 if compiler and processor compute what the exporter did. */
static inline int32_t PREFIX_self_test(PREFIX_scratch *scratch)
{
    int32_t failures = 0;
    for (int32_t n = 0; n < PREFIX_SELF_TEST_IMAGES; n++) {
        const float *expected = PREFIX_self_test_logits + n * PREFIX_CLASSES;
        const uint8_t *image = PREFIX_self_test_images + n * PREFIX_HEIGHT * PREFIX_WIDTH * PREFIX_CHANNELS;
        const int32_t label = PREFIX_predict(image, scratch);
        int same = 1;
        for (int32_t k = 0; k < PREFIX_CLASSES; k++) {
            /* As "is within", so that a logit that is not a number fails; equal logits may have either label. */
            same = same && fabsf(scratch->logits[k] - expected[k]) <= PREFIX_SELF_TEST_TOLERANCE &&
                   expected[k] - expected[label] <= 2 * PREFIX_SELF_TEST_TOLERANCE;
        }
        failures += !same;
    }
    return failures;
}
