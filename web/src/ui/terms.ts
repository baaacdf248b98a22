// The terms of the live view, each in a sentence or two. Terms that the report's glossary also has mean the same there.

export const TERMS = {
  ablation: 'Switching a part of the network off to see what it contributes.',
  accuracy: 'The share of images that are classified correctly.',
  activation: 'The output of a layer for one image.',
  'activation function':
    'A function applied to each output of a layer. Without it, several layers in a row could do no more than one.',
  addition: 'Adds the outputs of two layers number by number (a skip connection).',
  attribution: 'A score per pixel or unit: how much it contributed to the answer, according to one method.',
  augmentation: 'Small random changes of the training images, such as shifts and rotations. They reduce overfitting.',
  'average pooling': 'Replaces each small window of a map by its mean. The map becomes smaller.',
  batch:
    'The images of one training step. The weights are updated once per batch. Larger batches give smoother but fewer updates.',
  'batch normalisation':
    'Scales each channel to mean 0 and standard deviation 1, using statistics of the training images. Two learned numbers then scale and shift it.',
  bias: 'A learned number added to every sum of a filter.',
  channel:
    'One of the numbers at each position: red, green or blue in an image, or the output of one filter in a layer.',
  'confusion matrix':
    'How often each class is predicted as each class. Rows are true classes, columns are predicted classes.',
  convolution: 'Applies the same small set of weights at every position of the input: multiply and add up.',
  correlation:
    'How closely two series of numbers vary together. 1: perfectly, 0: not at all, -1: in opposite directions.',
  cosine:
    'Cosine similarity: whether two lists of numbers have the same direction, whatever their size. 1: same, 0: unrelated, -1: opposite.',
  'dead filter': 'A filter whose output is zero for every tested image.',
  'deletion curve':
    'How a score falls when the most strongly marked pixels are removed first. It should fall faster than for random pixels.',
  dense: 'A layer in which every unit is connected to every output of the layer before.',
  'depthwise convolution': 'A convolution in which each filter uses one input map only, so maps are not mixed.',
  dropout:
    'During training, a random share of the units is set to zero in each step. This reduces overfitting. It is off during prediction.',
  epoch: 'One pass over all training images.',
  'feature map':
    'One channel of the output of a convolution or pooling layer. It shows where in the image the filter responds.',
  filter: 'A kernel and its bias. Together they produce one feature map.',
  flatten: 'Puts all numbers of all maps into one vector, the input of a dense layer.',
  gelu: 'A smooth version of relu: large values pass, small negative values pass slightly.',
  'global pooling': 'Replaces a whole map by its mean or maximum. The position is lost.',
  'Grad-CAM':
    "The sum of the last maps, each weighted by the gradient of the class's logit. It shows where, at the resolution of those maps.",
  gradient: 'How much a number changes when another is changed slightly: one slope per pixel, map or weight.',
  'gradient × input':
    'Each pixel times the gradient of the logit at that pixel. It is accurate for small changes only.',
  kernel: 'The weights of a filter. Each window of the input is multiplied by them.',
  'L2 norm': 'The length of a list of numbers: the square root of the sum of their squares.',
  'label smoothing':
    'The training target for the true class is slightly below 1, and the rest is shared among the others. This reduces overconfidence.',
  'leaky relu': 'Keeps positive values and multiplies negative values by a small factor.',
  'learning rate': 'The size of one update of the weights. Too small is slow, too large does not converge.',
  linear: 'The sum itself, without an activation function.',
  logit: 'The output of the last layer for a class, before softmax. Only differences between logits matter.',
  'logit difference':
    'The logit of one class minus that of another. The network prefers the class with the larger logit.',
  loss: 'Cross-entropy: the mean of -log(probability of the true class). 0 is perfect. Confident mistakes cost the most.',
  MACs: 'Multiply-accumulate operations that the network needs for one image.',
  margin: "The predicted class's logit minus the rival's logit.",
  'max pooling': 'Replaces each small window of a map by its maximum. The map becomes smaller.',
  'McNemar test':
    'Compares the images that became wrong with those that became correct. p is the probability of a split at least this uneven by chance.',
  occlusion: 'Covers one patch of the image after another and shows how much the logit falls.',
  optimizer: 'The rule that turns gradients into updates of the weights.',
  overfitting: 'Memorising the training images: accuracy rises on them but not on other images.',
  padding: "How windows at the edge are treated. 'same' adds zeros and keeps the size, 'valid' does not.",
  parameters: 'All numbers that training adjusts: weights and biases.',
  parity: 'Whether the engine in this page computes the same numbers as the Python engine.',
  pooling: 'Replaces each small window of a map by one number, its maximum or its mean.',
  probability:
    'The softmax of the logits: how strongly the network favours a class. Whether it matches accuracy is a question of calibration.',
  'rank correlation':
    'Correlation of the ranks, not of the values. 1: both maps rank the pixels the same way, 0: the rankings are unrelated.',
  'receptive field': 'The part of the input image, in pixels, that one output of the layer depends on.',
  relu: 'Keeps positive values and sets negative values to zero.',
  rival: 'The class that the prediction is compared with: the second best, or one that you choose.',
  schedule: 'How the learning rate changes during training.',
  seed: 'The start of all random numbers. The same seed gives the same initial weights and the same order of images.',
  sigmoid: 'Maps any number to the range from 0 to 1.',
  snapshot: 'The weights after an epoch, rounded to 6 bits here.',
  softmax: 'Turns logits into probabilities: exponentiate each and divide by their sum.',
  step: 'One update of all weights, from one batch of images.',
  stride: 'How many positions a window moves at a time.',
  tanh: 'Maps any number to the range from -1 to 1.',
  'test images': 'Images that the network was never trained on. Accuracy is measured on them.',
  unit: 'One output of a dense layer.',
  'untrained weights': 'The random weights before training. What a map also shows with them was not learned.',
  weight: 'A learned number that an input is multiplied by.',
  'Wilson interval':
    'A range computed so that it contains the true rate in about 95 of 100 such tests, for images drawn like these. It does not cover other training seeds.',
  'zero padding': 'Adds rows and columns of zeros around every map.',
} as const;

export type TermName = keyof typeof TERMS;
