"""From operators to layers: what a graph computes, in the terms of `convscope.architecture`.

The operators are those of ONNX; readers of other formats translate theirs into these. `walk` goes through the nodes;
a function in the other modules converts each operator. `network` assembles the result.
"""
