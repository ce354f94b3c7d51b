"""Encoders: from texts to unit vectors. Bags of subwords (NumPy alone) and transformers."""

from triglot.encoder.build import init_encoder, load_encoder
from triglot.encoder.settings import EncoderSettings

__all__ = ["EncoderSettings", "init_encoder", "load_encoder"]
