"""The small corpus and encoders of the training tests."""

from tests.train.conftest import corpus, make_static, make_transformer, words

__all__ = ["corpus", "make_static", "make_transformer", "words"]
