// The words of the bench, each in a sentence or two. Those that the report's glossary has too mean the same there.

export const TERMS = {
  accuracy: 'The part of the images that are read right.',
  activation: "A layer's output for one image.",
  'activation function':
    'What a layer does to each number of its sum before it passes it on. Without one, layers in a row would be no more than one.',
  attribution:
    'For every pixel or unit, how much of one number it is held to account for. A share in a sum, not yet a cause.',
  'batch normalisation':
    "Brings each channel to mean 0 and spread 1 by the training images' statistics, then scales and shifts it by two learned numbers.",
  bias: 'A learned number that is added to every sum of a filter, whatever the image.',
  channel:
    'One of the numbers that each pixel or place has: red, green and blue of an image; one for each filter of a layer.',
  'confusion matrix': 'How often each class was taken for each other. A row is the truth, a column the answer.',
  convolution: 'The same small set of weights laid over every place of the input: multiply, add up, move on.',
  'dead filter': 'A filter that gives zero for every image that was tried.',
  dense: 'A layer in which every unit reads every number of the layer before.',
  dropout:
    'While it trains, a random part of the units gives zero, so that no unit leans on a single other one. Off when it answers.',
  epoch: 'One pass over all training images.',
  'feature map': "One channel of a convolution's or pooling's output: where in the image its filter answers.",
  filter: 'A kernel and its bias, which together make one feature map.',
  flatten: 'Puts all numbers of all maps into one row, for a dense layer to read.',
  'Grad-CAM':
    "The last maps added up, each weighted by how steeply the class's logit rises with it. It shows where, as coarsely as those maps are.",
  'gradient × input':
    'Each pixel times the slope of the logit at it. Exact for small changes; for large ones the slope is no longer the same.',
  kernel: 'The weights of a filter: what it multiplies each window of its input with.',
  'learning rate': 'How far one step of training moves the weights. Too small is slow, too large does not settle.',
  lesion: 'A part of the network switched off on purpose, to see what is lost without it.',
  logit: 'What the last layer gives for a class before softmax. Only differences between logits count.',
  loss: 'Cross-entropy: the mean of -log(probability given to the true class). Zero is perfect, and being sure and wrong costs most.',
  MACs: 'Multiply-adds that one image costs on its way through the network.',
  margin: "How far the answer's logit lies above that of the rival.",
  occlusion: 'A patch is laid over the image, place by place; what the logit loses there is drawn.',
  overfitting: 'Learning the training images by heart: better on them while no better, or worse, on others.',
  padding: "Whether windows may reach over the edge: 'same' fills in zeros there and keeps the size, 'valid' does not.",
  parity: 'Whether two builds of the engine give the same numbers for the same images and weights.',
  pooling: 'One number for each small window of a map: its largest, or its mean.',
  'receptive field': 'The part of the input image, in pixels, that one output of the layer can see.',
  relu: 'Keeps what is above zero and makes the rest zero.',
  rival: 'The class that the answer is weighed against: the second best, or one that you choose.',
  snapshot: 'The weights as they were after an epoch. Here they are rounded to 8 bits.',
  softmax: 'Makes probabilities of logits: each one exponentiated, divided by the sum of all.',
  stride: 'How many places a window moves on at a time.',
  'test images': 'Images that the network never trained on; accuracy is measured by them.',
  unit: 'One number of a dense layer.',
  weight: 'A number that training sets and that the network multiplies by.',
  'Wilson interval':
    'A range that holds the true rate in 95 of 100 such tests, for images drawn as these were. It says nothing about other training seeds.',
} as const;

export type TermName = keyof typeof TERMS;
