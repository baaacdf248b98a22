"""From operators to layers: what an ONNX graph computes, in the terms of `convscope.architecture`.

`walk` goes through the nodes; for each operator, a function in the other modules says what layer it is.
"""
