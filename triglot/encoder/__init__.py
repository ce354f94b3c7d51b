"""Encoders: from texts to unit vectors. Bags of subwords (NumPy alone) and transformers."""
