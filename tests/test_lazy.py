"""What works where torch is not installed: static models and recipes. A child process refuses the import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from triglot.lazy import face

REFUSE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'")

sys.meta_path.insert(0, Refuse())
"""
COMMAND = f"{REFUSE}\nfrom triglot.cli import main\nmain()"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    texts = folder / "en.txt"
    texts.write_text("A bridge over the river\nThe moon is far\nBread is baked at night\n", encoding="utf-8")
    from triglot.encoder import EncoderSettings, init_encoder
    from triglot.encoder.tokenizer import word_counts

    words = word_counts({"en": texts.read_text("utf-8").splitlines()})
    init_encoder(EncoderSettings(dim=8, vocab=80), words, seed=1).save(folder / "model")
    return folder


@pytest.mark.slow
def test_a_static_model_searches_and_encodes_without_torch(model: Path) -> None:
    folder, texts = str(model / "model"), str(model / "en.txt")
    found = run(COMMAND, "search", folder, texts, "the bridge", "-k", "2")
    assert found.returncode == 0, found.stderr
    assert "bridge over" in found.stdout
    made = run(COMMAND, "encode", folder, texts, "--out", str(model / "vectors.npy"), "--side", "passage")
    assert made.returncode == 0, made.stderr
    assert (model / "vectors.npy").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("recipes", "show", "demo", "--resolved"), ("debias", "--help"), ("train", "--help")]
)
def test_recipes_and_help_need_no_torch(words: tuple[str, ...]) -> None:
    done = run(COMMAND, *words)
    assert done.returncode == 0, done.stderr


HELP = """
import contextlib, io, sys
import typer
from triglot.cli import app, main
from tests.cli.test_app import commands

for words in (*(name for name, _ in commands(typer.main.get_command(app))), "", "data", "recipes"):
    sys.argv = ["triglot", *words.split(), "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.suppress(SystemExit):
        main()
    assert "Usage" in told.getvalue()
    for name in ("torch", "transformers", "pyarrow", "scipy", "pandas", "matplotlib", "rich", "babel", "tokenizers"):
        assert name not in sys.modules, f"{words}: {name}"
"""


@pytest.mark.slow
def test_no_help_loads_anything_heavy() -> None:
    root = str(Path(__file__).resolve().parents[1])
    done = run(f"import sys\nsys.path.insert(0, {root!r})\n{HELP}")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["study", "recipe", "study.data", "train", "robust", "losses", "evaluate", "commands.debias"]
)
def test_settings_and_faces_need_no_torch(module: str) -> None:
    done = run(f"{REFUSE}\nimport triglot.{module}")
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_of_a_face() -> None:
    with pytest.raises(AttributeError, match=r"module 'triglot\.train' has no attribute 'rum'"):
        face("triglot.train", {"loop": ("run",)})("rum")


@pytest.mark.parametrize("room", ["losses", "robust", "train"])
def test_every_name_of_a_face_is_there(room: str) -> None:
    module = __import__(f"triglot.{room}", fromlist=["__all__"])
    assert all(getattr(module, name) is not None for name in module.__all__)
