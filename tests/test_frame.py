"""The frame that holds the rooms: start-up time, lazy names, short files, no machine's paths, documents that name real
commands."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer

import triglot
from tools import rooms
from triglot.extras import EXTRAS

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "sentence_transformers", "pyarrow", "matplotlib", "scipy", "faiss", "sklearn")
SOURCES = sorted(
    [
        *ROOT.glob("triglot/**/*.py"),
        *ROOT.glob("tests/**/*.py"),
        *ROOT.glob("benchmarks/**/*.py"),
        *ROOT.glob("tools/*"),
    ]
)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
STARTS = {"help": ["-m", "triglot", "--help"], "import": ["-c", "import triglot"]}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("start", STARTS)
def test_starts_in_half_a_second(start: str) -> None:
    seconds = []
    for _ in range(5):
        began = _of_children()
        done = run(*STARTS[start])
        seconds.append(_of_children() - began)
        assert done.returncode == 0, done.stderr
    assert statistics.median(seconds) < 0.5, seconds


def _of_children() -> float:
    """Seconds of the processor that child processes have taken: they do not wait for others, as the clock does."""
    spent = os.times()
    return spent.children_user + spent.children_system


@pytest.mark.parametrize(
    "statement",
    [
        "import triglot",
        "import triglot.cli",
        "import triglot.__main__; from typer.main import get_command as g; g(triglot.cli.app)",
    ],
)
def test_start_loads_nothing_heavy(statement: str) -> None:
    done = run("-c", f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    assert set(HEAVY) & set(json.loads(done.stdout.splitlines()[-1])) == set()


# --- the public names


@pytest.mark.parametrize("name", triglot.__all__)
def test_every_public_name_is_there_and_described(name: str) -> None:
    value = getattr(triglot, name)
    if name == "__version__":
        assert re.fullmatch(r"\d+\.\d+\.\d+", value)
    else:
        assert value.__doc__
        assert value.__module__.startswith("triglot.")


def test_the_lazy_names_are_those_that_type_checkers_see() -> None:
    tree = ast.parse((ROOT / "triglot/__init__.py").read_text("utf-8"))
    typed = {
        (alias.asname or alias.name): f"{node.module}:{alias.name}"
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == triglot._HOMES
    assert sorted(triglot.__all__) == sorted([*typed, "__version__"])
    assert set(triglot.__all__) <= set(dir(triglot))


def test_an_unknown_name_has_a_hint() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_encodre'; did you mean 'load_encoder'"):
        _ = triglot.load_encodre  # type: ignore[attr-defined]


# --- files


def tracked() -> list[Path]:
    """Every file of the repository, also those not yet committed; without git (a source archive), those that are known
    to matter."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()] or [*SOURCES, *DOCUMENTS]


def test_no_module_is_over_500_lines() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in SOURCES if path.is_file()
    }
    assert {name: n for name, n in lengths.items() if n > 500} == {}
    assert len(lengths) > 10


def test_no_conditional_expression_is_inside_another() -> None:
    """`a if x else b if y else c` is read twice; names or an `if` statement say it once."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.IfExp)
        and any(isinstance(part, ast.IfExp) for part in (node.test, node.body, node.orelse))
    ]
    assert found == []


def test_no_path_of_a_machine_is_in_the_repository() -> None:
    machine = re.compile(r"(?<![\w.~:/-])/(?:work|root|home|opt|Users|mnt)/[\w.]+")
    found = []
    for path in tracked():
        try:
            lines = path.read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(lines, 1)
            if machine.search(line)
        ]
    assert found == []


ROOMS = {
    path.name if path.is_dir() else path.stem: f"{path.name}/" if path.is_dir() else path.name
    for path in (ROOT / "triglot").iterdir()
    if (path.suffix == ".py" or (path / "__init__.py").is_file()) and not path.name.startswith("__")
}


def test_a_room_that_exists_has_its_place() -> None:
    """Among the floors in pyproject.toml only rooms to come are in parentheses (import-linter finds the other way
    round)."""
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0][
        "layers"
    ]
    optional = {name for layer in layers for name in re.findall(r"\((\w+)\)", layer)}
    assert set(ROOMS) & optional == set()


def imported(path: Path) -> set[str]:
    """Top-level names of the packages that a module imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {
        name.split(".")[0]
        for name in plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    }


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    def normal(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    used = (
        set().union(*(imported(path) for path in ROOT.glob("triglot/**/*.py"))) - sys.stdlib_module_names - {"triglot"}
    )
    providers = metadata.packages_distributions()
    # The packages of backends need not be installed; they are called as their modules are.
    optional = {name: [name] for name, extra in EXTRAS.items() if extra in ("onnx", "openvino", "ray")}
    optional |= {
        "milvus_lite": ["milvus-lite"],
        "pymilvus": ["pymilvus"],
        "qdrant_client": ["qdrant-client"],
        "langchain_core": ["langchain-core"],
        "llama_index": ["llama-index-core"],
        "haystack": ["haystack-ai"],
    }
    providers = {**optional, **providers}
    needed = {normal(providers[name][0]) for name in used}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    def names(lines: list[str]) -> set[str]:
        return {normal(re.split(r"[<>=\[;]", line)[0]) for line in lines}

    extras = {
        name: names(project["optional-dependencies"][name])
        for name in project["optional-dependencies"]
        if name not in ("all", "test", "dev", "peers", "docs")
    }
    # torch imports tensorboard and onnx, transformers' Trainer accelerate.
    others = {"tensorboard", "accelerate", "onnx"}
    assert needed | others | {"triglot"} == names(project["dependencies"]).union(*extras.values())
    assert not names(project["dependencies"]) & set().union(*extras.values())
    assert all(normal(providers[module][0]) in extras[extra] for module, extra in EXTRAS.items())
    assert {normal(providers[module][0]) for module in EXTRAS} | {"accelerate", "datasets", "triglot"} == set().union(
        *extras.values()
    )


def test_the_page_of_architecture_shows_the_floors_that_import_linter_holds() -> None:
    text = rooms.PAGE.read_text("utf-8")
    assert rooms.placed(text) == text, "python -m tools.rooms --write"
    assert {name for floor in rooms.floors() for name in floor} == set(ROOMS)


# --- documents


def command_lines(path: Path) -> list[str]:
    """Every `triglot ...` of a document: lines of code blocks (continued lines joined, comments cut) and inline
    code."""
    text = path.read_text("utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [
        line
        for line in (re.sub(r"^(\.venv/bin/|\.venv\\Scripts\\)", "", line) for line in lines)
        if re.match(r"triglot [a-z-]", line)
    ]


def commands_of(command: Any) -> dict[str, Any]:
    """The commands inside a group; none in a plain command.

    Whether click or typer's own copy of it made them does not matter.
    """
    return getattr(command, "commands", {})


def fault(line: str, command: Any) -> str:
    """What is wrong with a command line: an unknown command or option. Empty if nothing is."""
    words = shlex.split(line, comments=True)[1:]
    while commands_of(command) and words and not words[0].startswith("-"):
        name = words.pop(0)
        if name not in commands_of(command):
            return f"no command {name}"
        command = commands_of(command)[name]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {
        "-h",
        "--help",
    }
    unknown = [word for word in words if re.match(r"--?[a-z]", word) and word.split("=")[0] not in known]
    return f"unknown options {unknown}" if unknown else ""


def test_documents_name_commands_that_exist() -> None:
    from triglot.cli import app

    command = typer.main.get_command(app)
    lines = [(path.name, line) for path in DOCUMENTS for line in command_lines(path)]
    assert [(name, line, fault(line, command)) for name, line in lines if fault(line, command)] == []
    assert any(name == "README.md" for name, _ in lines)
    assert fault("triglot trian demo", command) == "no command trian"
    assert fault("triglot recipes sl", command) == "no command sl"
    assert fault("triglot train demo --nonsense 3", command) == "unknown options ['--nonsense']"


def test_the_commands_page_has_every_command() -> None:
    from triglot.cli import app

    command = typer.main.get_command(app)
    headings = re.findall(r"^#+ `?triglot ([\w \-]+?)`?$", (ROOT / "docs/commands.md").read_text("utf-8"), re.MULTILINE)
    assert sorted({heading.split()[0] for heading in headings}) == sorted(
        name for name, inner in commands_of(command).items() if not inner.hidden
    )


def test_python_examples_parse_and_use_public_names() -> None:
    examples = [
        (path.name, block)
        for path in DOCUMENTS
        for block in re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    ]
    assert examples
    for name, block in examples:
        used = {
            n.attr
            for n in ast.walk(ast.parse(block))
            if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "triglot"
        }
        assert used <= set(triglot.__all__), (name, used - set(triglot.__all__))


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
            if "://" not in target and not target.startswith("mailto:"):
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_a_name_of_the_version_before_works_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="Batches is called BatchSettings"):
        assert triglot.Batches is triglot.BatchSettings
