"""The small encoders of the training tests."""

from tests.train.conftest import corpus, make_transformer, words

__all__ = ["corpus", "make_transformer", "words"]
