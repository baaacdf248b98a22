"""Bring a network of PyTorch: from a file that nobody has to trust (`reading`), or from memory (`live`).

Reading a file needs no PyTorch. The readers are imported when they are used.
"""
