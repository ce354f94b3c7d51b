"""Bad arguments are answered before torch is imported: a child process refuses the import and runs every line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LINES = {
    "evaluate nope --on x=nowhere --out o": "nowhere: no such file or folder",
    "evaluate nope --on nowhere --out o": "nowhere: no such file or folder",
    "evaluate nope --on x= --out o": "--on x=: not NAME=PATH",
    "evaluate bm25 --on x=sqaud:t.txt --out o": "'sqaud' is not a known format; did you mean 'squad'?",
    "evaluate ./nope --on atlas --out o": "./nope: no such model folder",
    "evaluate nope --on atlas --out o --top-k 0": "--top-k: 0",
    "attack ./nope --on atlas --out o --attack kinds=foo": "'foo' is unknown",
    "attack nope --on x=nowhere --out o": "nowhere: no such file or folder",
    "check ./nope": "nothing to check on",
    "check ./nope --on x=nowhere": "nowhere: no such file or folder",
    "check ./nope --on atlas --limit foo=1": "no measure 'foo'",
    "check nope --texts nowhere.csv": "nowhere.csv: no such file",
    "encode nope nowhere.csv --out v.npy": "nowhere.csv: no such file",
    "encode nope t.txt --out v.npy --side foo": "--side: 'foo' is unknown; known: passage, query",
    "search ./nope t.txt q": "./nope: no such model folder",
    "search nope nowhere.txt q": "nowhere.txt: no such file",
    "search nope t.txt": "Missing argument 'QUERY...'",
    "search nope t.txt q -k 0": "-k: 0 is below 1",
    "search nope t.txt q --languages de": "--languages: t.txt does not say the language of '1'",
    "search nope t.txt --queries nowhere.txt": "nowhere.txt: no such file",
    "search nope c.csv q --columns text=titel": "--columns text=titel: no column 'titel'; did you mean 'title'?",
    "debias nope nowhere --out o": "nowhere: no such file or folder",
    "debias nope atlas --out o --method foo": "method: 'foo'",
    "debias nope atlas --out o --held-out x=nowhere": "nowhere: no such file or folder",
    "mine nowhere --model bm25 --out m.jsonl": "nowhere: no such file or folder",
    "mine pairs.jsonl --model ./nope --out m.jsonl": "./nope: no such model folder",
    "mine pairs.jsonl --model bm25 --out m.jsonl negtives=3": "negtives: no such setting; did you mean 'negatives'?",
    "augment nowhere --kind swap --out o": "nowhere: no such file or folder",
    "augment pairs.jsonl --kind foo --out o": "'foo' is unknown",
    "lists nowhere --out o": "nowhere: no such file or folder",
    "init nowhere --out o": "nowhere: no such file or folder",
    "init t.txt --out o --kind foo": "kind: 'foo' is not one of",
    "init-recipe nowhere": "nowhere: no such file or folder",
    "train nowhere.yaml --out o": "nowhere.yaml: no such recipe",
    "train demo lr=3 --out o": "command line: lr: no such setting; did you mean 'train.lr'?",
    "train demo train.steps=abc --out o": "command line: train.steps: 'abc' is not a whole number",
    "train demo": "Missing option '--out'",
    "train pairs.jsonl --model static --out o lr=3": "command line: lr: no such setting; did you mean 'train.lr'?",
    "train pairs.jsonl --out o": "pairs.jsonl: is data; --model says what to train",
    "train demo encoder.kind=pretrained encoder.model=./nope --out o": "encoder.model: nope: no such file or folder",
    "train xquad-r-cpu data=nowhere --out o": "no such file or folder",
    "study demo --arms foo --out o": "--arms: demo has no arm 'foo'",
    "study demo --seeds x --out o": "--seeds: 'x' is not a whole number",
    "study demo": "Missing option '--out'",
    "study demo --out o --device gpu": "--device: 'gpu' is unknown; known: cpu, cuda, mps, xpu",
    "train demo --out o --device cuda:x": "--device: 'cuda:x' is unknown; known: cpu, cuda, mps, xpu",
    "evaluate nope --on atlas --out o --device foo": "--device: 'foo' is unknown; known: cpu, cuda, mps, xpu",
    "study xquad-r-cpu data=nowhere --out o": "no such file or folder",
    "demo lr=3": "command line: lr: no such setting; did you mean 'train.lr'?",
    "compare nowhere": "nowhere: no such folder",
    "data inspect nowhere": "nowhere: no such file or folder",
    "data inspect pairs.jsonl --on nowhere": "nowhere: no such file or folder",
    "data prepare nowhere.csv --out o": "nowhere.csv: no such file",
    "recipes show dmo": "no recipe 'dmo'; did you mean 'demo'?",
}
CHILD = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "sentence_transformers", "matplotlib", "sklearn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
from tests.command import triglot

for line in json.loads(sys.argv[1]):
    done = triglot(*line.split())
    print(json.dumps([done.code, done.out, done.err]))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """Line -> (exit status, stdout, stderr), all from one process without torch."""
    here = tmp_path_factory.mktemp("here")
    (here / "t.txt").write_text("a b\nc d\n", "utf-8")
    (here / "c.csv").write_text("id,title,body\n1,a,b\n", "utf-8")
    (here / "pairs.jsonl").write_text('{"query": "a", "positive": "b"}\n', "utf-8")
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{CHILD}", json.dumps(list(LINES))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=here)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in here.iterdir()} == {"t.txt", "c.csv", "pairs.jsonl"}
    return dict(zip(LINES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_bad_words_are_answered_without_torch(line: str, answers: dict[str, list[object]]) -> None:
    code, out, err = answers[line]
    assert code == 2
    assert LINES[line] in str(err)
    assert "Traceback" not in str(err)
    assert not out
