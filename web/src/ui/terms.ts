// The words of the bench, each in a sentence or two. Those that the report's glossary has too mean the same there.

export const TERMS = {
  accuracy: 'The part of the images that are read right.',
  activation: "A layer's output for one image.",
  'activation function':
    'What a layer does to each number of its sum before it passes it on. Without one, layers in a row would be no more than one.',
  addition: "Adds two layers' outputs number by number, so that what an earlier layer gave also takes the short way.",
  attribution:
    'For every pixel or unit, how much of one number it is held to account for. A share in a sum, not yet a cause.',
  augmentation:
    'Training images are shifted, turned or stretched a little each time they are seen, so that the network learns what stays the same.',
  'average pooling': 'The mean of each small window of a map: a smaller map that is less particular about where.',
  batch:
    'The images of one step of training: their mean slope moves the weights once. Larger batches are steadier and make fewer steps.',
  'batch normalisation':
    "Brings each channel to mean 0 and spread 1 by the training images' statistics, then scales and shifts it by two learned numbers.",
  bias: 'A learned number that is added to every sum of a filter, whatever the image.',
  channel:
    'One of the numbers that each pixel or place has: red, green and blue of an image; one for each filter of a layer.',
  'confusion matrix': 'How often each class was taken for each other. A row is the truth, a column the answer.',
  convolution: 'The same small set of weights laid over every place of the input: multiply, add up, move on.',
  correlation: 'How far two series of numbers rise and fall together: 1 in step, 0 not at all, -1 against each other.',
  cosine:
    'How far two lists of numbers point the same way, whatever their size: 1 the same way, 0 unrelated, -1 opposite.',
  'dead filter': 'A filter that gives zero for every image that was tried.',
  'deletion curve':
    'What is left of a score when the pixels that a map marks most strongly are removed first. It should fall faster than at random.',
  dense: 'A layer in which every unit reads every number of the layer before.',
  'depthwise convolution': 'A convolution in which each filter reads one map only, so that maps are not mixed.',
  dropout:
    'While it trains, a random part of the units gives zero, so that no unit leans on a single other one. Off when it answers.',
  epoch: 'One pass over all training images.',
  'feature map': "One channel of a convolution's or pooling's output: where in the image its filter answers.",
  filter: 'A kernel and its bias, which together make one feature map.',
  flatten: 'Puts all numbers of all maps into one row, for a dense layer to read.',
  gelu: 'A relu with a soft corner: large numbers pass, small negative ones leak through a little.',
  'global pooling': 'One number for a whole map, its mean or its largest: what was found counts, not where.',
  'Grad-CAM':
    "The last maps added up, each weighted by how steeply the class's logit rises with it. It shows where, as coarsely as those maps are.",
  gradient:
    'How steeply a number rises when another is changed a little; one such slope for each pixel, map or weight.',
  'gradient × input':
    'Each pixel times the slope of the logit at it. Exact for small changes; for large ones the slope is no longer the same.',
  kernel: 'The weights of a filter: what it multiplies each window of its input with.',
  'L2 norm': 'The length of a list of numbers: the square root of the sum of their squares.',
  'label smoothing':
    'The true class is asked for with a little less than certainty and the rest shared among the others, so that the network does not grow too sure.',
  'leaky relu': 'Keeps what is above zero and lets a small part of what is below through.',
  'learning rate': 'How far one step of training moves the weights. Too small is slow, too large does not settle.',
  lesion: 'A part of the network switched off on purpose, to see what is lost without it.',
  linear: 'The sum as it is, with no activation function.',
  logit: 'What the last layer gives for a class before softmax. Only differences between logits count.',
  'logit difference': 'The logit of one class less that of another. It decides which of the two the network prefers.',
  loss: 'Cross-entropy: the mean of -log(probability given to the true class). Zero is perfect, and being sure and wrong costs most.',
  MACs: 'Multiply-adds that one image costs on its way through the network.',
  margin: "How far the answer's logit lies above that of the rival.",
  'max pooling': 'The largest number of each small window of a map: a smaller map that says what was found nearby.',
  'McNemar test':
    'Counts the images on which right and wrong changed, either way. p is how often so uneven a split, or a more uneven one, comes about by chance.',
  occlusion: 'A patch is laid over the image, place by place; what the logit loses there is drawn.',
  optimizer: 'The rule by which slopes become changes of the weights.',
  overfitting: 'Learning the training images by heart: better on them while no better, or worse, on others.',
  padding: "Whether windows may reach over the edge: 'same' fills in zeros there and keeps the size, 'valid' does not.",
  parameters: 'All numbers that training sets: weights and biases.',
  parity: 'Whether two builds of the engine give the same numbers for the same images and weights.',
  pooling: 'One number for each small window of a map: its largest, or its mean.',
  probability:
    "Softmax of the logits: the network's share of belief in a class. It is not by itself how often such answers are right.",
  'rank correlation':
    'Correlation of the orders, not of the sizes: 1 if two maps rank the pixels alike, 0 if their orders have nothing in common.',
  'receptive field': 'The part of the input image, in pixels, that one output of the layer can see.',
  relu: 'Keeps what is above zero and makes the rest zero.',
  rival: 'The class that the answer is weighed against: the second best, or one that you choose.',
  schedule: 'How the learning rate changes while it trains.',
  seed: 'Where the random numbers of a training begin: the same seed gives the same first weights and the same order of images.',
  sigmoid: 'Brings any number between 0 and 1, along an S.',
  snapshot: 'The weights as they were after an epoch. Here they are rounded to 8 bits.',
  softmax: 'Makes probabilities of logits: each one exponentiated, divided by the sum of all.',
  step: 'One change of all weights, from one batch of images.',
  stride: 'How many places a window moves on at a time.',
  tanh: 'Brings any number between -1 and 1, along an S.',
  'test images': 'Images that the network never trained on; accuracy is measured by them.',
  unit: 'One number of a dense layer.',
  'untrained weights':
    'The random numbers that training began with. What a picture also shows with them was not learned.',
  weight: 'A number that training sets and that the network multiplies by.',
  'Wilson interval':
    'A range that holds the true rate in 95 of 100 such tests, for images drawn as these were. It says nothing about other training seeds.',
  'zero padding': 'Puts rows and columns of zeros around every map, so that windows may reach over its edge.',
} as const;

export type TermName = keyof typeof TERMS;
