"""The same shards, bit for bit, from a local Ray cluster of two nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import triglot
from tests.shards.small import held, jsonl, model, passages

# Ray warns of itself, of sockets that it leaves to the collector too.
WARNINGS = ("Deprecation", "PendingDeprecation", "Future", "User", "Resource")
pytestmark = [pytest.mark.peers, pytest.mark.slow]
pytestmark += [pytest.mark.filterwarnings(f"ignore::{kind}Warning") for kind in WARNINGS]


def test_two_nodes_make_the_shards_of_one_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
    # Read when Ray is imported; a busy machine takes its time.
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "120")
    from ray.cluster_utils import Cluster

    model(tmp_path / "model")
    jsonl(tmp_path / "p.jsonl", passages(40))
    words = ["encode", tmp_path / "model", tmp_path / "p.jsonl", "--shard-rows", "9", "-q"]
    assert triglot(*words, "--out", tmp_path / "local").code == 0
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        # An actor needs more than half of a node, so there is one on each.
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
        done = triglot(*words, "--out", tmp_path / "ray", "--engine", "ray", "--workers", "2")
        assert done.code == 0, done.err
        assert held(tmp_path / "ray") == held(tmp_path / "local")
    finally:
        ray.shutdown()
        cluster.shutdown()
