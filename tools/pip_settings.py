"""Print pip's settings (its files and PIP_* variables) as the variables that uv reads, as shell exports.

Variables of uv that are set already win.
"""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys


def pip_settings() -> dict[str, str]:
    """What `pip config list` says; the environment wins over `[install]`, which wins over `[global]`.

    Without pip, PIP_* alone.
    """
    found = {"env": {k[4:].lower().replace("_", "-"): v for k, v in os.environ.items() if k.startswith("PIP_")}}
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.strip(":").rpartition(".")
        if section in ("global", "install"):
            found.setdefault(section, {})[key] = ast.literal_eval(value)
    return {key: value for section in ("global", "install", "env") for key, value in found.get(section, {}).items()}


def uv_variables(pip: dict[str, str]) -> dict[str, str]:
    """The same settings in uv's words."""
    variables = {
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(pip.get("extra-index-url", "").split()),
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "SSL_CERT_FILE": pip.get("cert", ""),
        "ALL_PROXY": pip.get("proxy", ""),
    }
    if variables["UV_INDEX"]:
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip's own rule: the best version of any index
    return {name: value for name, value in variables.items() if value and name not in os.environ}


if __name__ == "__main__":
    for name, value in uv_variables(pip_settings()).items():
        print(f"export {name}={shlex.quote(value)}")
