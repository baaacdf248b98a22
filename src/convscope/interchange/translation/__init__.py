"""From operators to layers: what a graph computes, in the terms of `convscope.architecture`.

The operators are those of ONNX; readers of other files say theirs in these terms. `walk` goes through the nodes; for
each operator, a function in the other modules says what layer it is. `network` puts the result together.
"""
