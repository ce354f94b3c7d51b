"""The commands of docs/distributed.md: what launchers understand, and one run over two machines that are both here."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.train.test_loop import environment

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/distributed.md").read_text("utf-8")
COMMANDS = [shlex.split(line) for line in re.findall(r"^(?:torchrun|accelerate launch) .*", PAGE, re.MULTILINE)]
SMALL = ["languages=[de,en]", "encoder.dim=16", "encoder.vocab=500", "train.steps=6", "batches.size=8"]


def understood(words: list[str]) -> tuple[list[str], object]:
    """What a launcher runs, and what it was told."""
    if words[0] == "torchrun":
        from torch.distributed.run import get_args_parser

        told = get_args_parser().parse_args(words[1:])
        return [told.training_script, *told.training_script_args], told
    from accelerate.commands.launch import launch_command_parser

    told = launch_command_parser().parse_args(words[2:])
    return [told.training_script, *told.training_script_args], told


def test_launchers_understand_the_commands_of_the_page() -> None:
    assert [words[0] for words in COMMANDS] == ["torchrun", "accelerate", "torchrun", "torchrun"]
    for words in COMMANDS:
        runs, told = understood(words)
        assert runs[:2] == ["triglot", "train"]
        assert "--out" in runs
        assert told.module  # type: ignore[attr-defined]
    ranks = [understood(words)[1].node_rank for words in COMMANDS[2:]]  # type: ignore[attr-defined]
    assert list(map(int, ranks)) == [0, 1]


def test_the_job_of_kubernetes_runs_the_command_of_the_page() -> None:
    service, job = yaml.safe_load_all((ROOT / "docs/kubernetes.yaml").read_text("utf-8"))
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    words = [*container["command"], *container["args"]]
    runs, told = understood([word.replace("$(JOB_COMPLETION_INDEX)", "1") for word in words])
    page, of_page = understood(COMMANDS[3])
    assert runs == page
    for key in ("nnodes", "nproc_per_node", "master_port"):
        assert getattr(told, key) == getattr(of_page, key)
    # The name by which pods find the first one is made of these.
    name = job["metadata"]["name"]
    assert told.master_addr == f"{name}-0.{service['metadata']['name']}"  # type: ignore[attr-defined]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert service["spec"]["clusterIP"] == "None"
    assert str(job["spec"]["completions"]) == str(job["spec"]["parallelism"]) == told.nnodes  # type: ignore[attr-defined]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == int(told.nproc_per_node)  # type: ignore[attr-defined]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounts) == {volume["name"] for volume in pod["volumes"]}
    assert all(word.startswith(mounts["shared"]) for word in runs if word.startswith("/"))


@pytest.mark.slow
def test_two_machines_that_are_both_here_train_one_model(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = {
        "--nproc_per_node": "1",
        "--master_addr": "127.0.0.1",
        "--master_port": str(port),
        "--out": str(tmp_path / "run"),
    }
    running = []
    for words in COMMANDS[2:]:
        words = [here.get(before, word) for before, word in zip(["", *words], words, strict=False)]
        words = [word.replace("/shared/recipe.yaml", "demo") for word in words]
        command = [sys.executable, "-m", "torch.distributed.run", *words[1:], *SMALL]
        running.append(subprocess.Popen(command, env=environment(), cwd=tmp_path, stderr=subprocess.PIPE, text=True))
    said = [process.communicate(timeout=250)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (tmp_path / "run" / "model" / "modules.json").is_file()
    assert summary
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert any("loss" in line for line in lines)
    # One of them writes and speaks.
    assert [len(list((tmp_path / "run").glob(name))) for name in ("metrics*.jsonl", "model*")] == [1, 1]
