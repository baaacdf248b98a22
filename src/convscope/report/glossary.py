"""The terms of the page, each with what it means in a sentence."""

TERMS = {
    "Ablation": "Taking a part of a network away to see what it loses: a filter, which then answers the same to "
    "everything, a part of every image, or a part of the design, trained again without it.",
    "Activation": "A layer's output for one image.",
    "Attribution": "A number a pixel: how much an answer rests on it, by some method's meaning of that.",
    "AUROC": "How often an image of one kind scores above one of the other: 1 tells them apart always, 0.5 no "
    "better than chance.",
    "Balanced accuracy": "The mean of the classes' recalls: each class counts alike, however many images it has.",
    "Brier score": "The mean squared distance between the probabilities and the truth, summed over the classes: 0 "
    "is perfect, 2 the worst.",
    "Calibration": "Whether answers that are 90 % sure are right nine times in ten.",
    "Class selectivity": "How much more a filter answers to its favourite class than to the others: 0 for equal "
    "answers, 1 for one class alone.",
    "Confident learning": "Finding labels in doubt by networks that did not see the image: they are surer of "
    "another class than they are on average of that class's own images.",
    "Dead filter": "One that answers the same everywhere, to every image.",
    "Energy": "The logarithm of the sum of the logits' exponentials: high where any class fits.",
    "Epoch": "One pass over all training images.",
    "Expected calibration error": "The mean gap between how sure and how right the answers are, over bins of like "
    "sureness. It depends on the bins, so their number is given.",
    "F1": "The harmonic mean of precision and recall.",
    "False discovery rate": "The share of the marks that are luck, on average, when many things are tested at once.",
    "Feature map": "One channel of a convolution's or pooling's output: where in the image its filter answers.",
    "FGSM and PGD": "Attacks that know the weights: one step, or many small ones, along the sign of the loss's "
    "gradient, no pixel moved by more than ε.",
    "Holm's correction": "Makes p-values larger when several are looked at, so that one in twenty of all such sets "
    "is wrong, not of all tests.",
    "Kernel": "The weights of a filter: what it multiplies each window of its input with.",
    "Loss": "Cross-entropy: the mean of -log(probability given to the true class). Zero is perfect, and being sure "
    "and wrong costs most.",
    "Macro F1": "The mean of the classes' F1.",
    "MACs": "Multiply-adds that one image costs on its way through the network.",
    "McNemar test": "Of the images that exactly one of two models reads right: how often would a fair coin split "
    "them at least so unevenly?",
    "Out of fold": "Answered by a sibling network that was trained without the image.",
    "Overfitting": "Learning the training images by heart: better on them while no better, or worse, on others.",
    "Precision": "Of the images that were given this class, the part that belong to it.",
    "Recall": "Of the images of this class, the part that were given it.",
    "Receptive field": "The part of the input image, in pixels, that one output of the layer can see.",
    "Risk and coverage": "How many errors are left among the images answered when the least sure ones are refused.",
    "Temperature": "One number that the logits are divided by, fitted on images held out of training, to make the "
    "network as sure as it is right. No answer changes.",
    "Trustworthiness": "How many neighbours in a picture are neighbours in all numbers too: 1 is all.",
    "Wilson interval": "A range that holds the true rate in 95 of 100 such tests, for images drawn as these were. "
    "It says nothing about other training seeds.",
}
