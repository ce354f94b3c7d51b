"""What comes with an extra of Triglot and not with `pip install triglot`: a package that is missing is named with its
extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# module -> the extra that installs it; pyproject.toml says the same (a test compares)
EXTRAS = {
    "torch": "train",
    "sentence_transformers": "train",
    "transformers": "train",
    "tensorboard": "train",
    "sentencepiece": "train",
    "jinja2": "report",
    "markupsafe": "report",
    "matplotlib": "report",
    "pandas": "report",
    "anyascii": "augment",
    "huggingface_hub": "hub",
    "python_calamine": "excel",
    "peft": "lora",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "nncf": "openvino",
    "semantic_text_splitter": "split",
    "fastapi": "serve",
    "mcp": "mcp",
    "prometheus_client": "serve",
    "ray": "ray",
    "starlette": "serve",
    "uvicorn": "serve",
    "milvus_lite": "milvus",
    "pymilvus": "milvus",
    "qdrant_client": "qdrant",
    "langchain_core": "langchain",
    "llama_index": "llama-index",
    "haystack": "haystack",
}


class MissingExtra(ImportError):
    """A package is needed that an extra of Triglot installs; the message says which."""


@contextmanager
def named() -> Iterator[None]:
    """The block may import what comes with an extra.

    Raises:
        MissingExtra: a package that is not installed, with the extra that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise MissingExtra(
            f'{package} is not installed; pip install "triglot[{EXTRAS[package]}]"', name=package
        ) from error
