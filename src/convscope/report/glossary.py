"""The terms of the page, each with what it means in a sentence."""

TERMS = {
    "Ablation": "Removing a part to see what it contributes: a filter, a region of every image, or a part of the "
    "architecture. An architecture is trained again without the part.",
    "Activation": "The output of a layer for one image.",
    "Attribution": "A score per pixel: how much it contributed to the answer, according to one method.",
    "AUROC": "Area under the ROC curve: how often an image of one group scores higher than an image of the other. "
    "1 is a perfect separation, 0.5 is chance.",
    "Balanced accuracy": "The mean recall over all classes. Each class counts equally, however many images it has.",
    "Brier score": "The mean squared difference between the predicted probabilities and the true class, summed over "
    "the classes. 0 is perfect, 2 is the worst.",
    "Calibration": "Whether confidence matches accuracy: of all answers with 90 % confidence, 90 % should be correct.",
    "Class selectivity": "How much more strongly a filter responds to its preferred class than to the others. 0 means "
    "equal responses, 1 means that it responds to one class only.",
    "Confident learning": "A way to find label errors. Each image is classified by a network that was not trained on "
    "it. A label is suspect if the probability of another class reaches the average for images of that class.",
    "Dead filter": "A filter whose output is the same everywhere, for every image.",
    "Energy": "The logarithm of the sum of the exponentials of the logits. It is high if any class fits.",
    "Epoch": "One pass over all training images.",
    "Expected calibration error": "The mean difference between confidence and accuracy over bins of similar "
    "confidence. It depends on the bins, so their number is given.",
    "F1": "The harmonic mean of precision and recall.",
    "False discovery rate": "The expected share of false positives among all results marked as significant.",
    "Feature map": "One channel of the output of a convolution or pooling layer. It shows where in the image the "
    "filter responds.",
    "FGSM and PGD": "Attacks that know the weights. They change each pixel by at most ε along the sign of a "
    "gradient: FGSM in one step, PGD in many small ones.",
    "Holm's correction": "Raises p-values when several comparisons are tested together, so that the chance of any "
    "false positive among them is at most 5 %.",
    "Kernel": "The weights of a filter. Each window of the input is multiplied by them.",
    "Loss": "Cross-entropy: the mean of -log(probability of the true class). 0 is perfect. Confident mistakes cost "
    "the most.",
    "Macro F1": "The mean F1 over all classes.",
    "MACs": "Multiply-accumulate operations that the network needs for one image.",
    "McNemar test": "Looks at the images that exactly one of two models classifies correctly. p is the probability of "
    "a split at least this uneven if both models were equally good.",
    "Out of fold": "Predicted by a network that was trained without this image.",
    "Overfitting": "Memorising the training images: accuracy rises on them but not on other images.",
    "Precision": "The share of images predicted as this class that belong to it.",
    "Recall": "The share of images of this class that are predicted as it.",
    "Receptive field": "The part of the input image, in pixels, that one output of the layer depends on.",
    "Risk and coverage": "The error rate (risk) among the images that are still answered (coverage), when the least "
    "confident answers are refused.",
    "Temperature": "One number that divides the logits so that confidence matches accuracy. It is fitted on images "
    "held out of training and never changes the predicted class.",
    "Trustworthiness": "How far neighbours in a plot are also neighbours in the full data. 1 means all of them.",
    "Wilson interval": "A range computed so that it contains the true rate in about 95 of 100 such tests, for images "
    "drawn like these. It does not cover other training seeds.",
}
