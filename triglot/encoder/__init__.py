"""Encoders: from texts to unit vectors. Bags of subwords (NumPy alone) and transformers."""

from triglot.encoder.build import EncoderSettings, init_encoder, load_encoder

__all__ = ["EncoderSettings", "init_encoder", "load_encoder"]
