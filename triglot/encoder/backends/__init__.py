"""What computes the layers of a transformer in place of torch: its weights converted once, kept in the user's cache.

A backend computes everything between the table of token embeddings and the vectors of tokens; the table, pooling and
what comes after it stay torch's, as does training. Those of sentence-transformers are not used: its version 6 wants
transformers 5, optimum-onnx wants one below 4.58, optimum-intel one below 5.6.
"""
