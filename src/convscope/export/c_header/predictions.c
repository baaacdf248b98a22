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
