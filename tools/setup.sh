#!/bin/sh
# Make a virtual environment and install into it what the arguments name, as `pip install` takes them:
#   sh tools/setup.sh -e ".[all,test]"
# Settings, all optional, from the environment: VENV (.venv), PYTHON, TORCH_INDEX, WHEELS, UV (a path, or "no" for pip alone).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
VENV=${VENV:-.venv}
say() { printf '%s\n' "$*" >&2; }

# What is wrong with this Python? Prints nothing if it fits. A Python before 3.3 has no venv, one of Debian's may lack ensurepip.
complaint() {
    command -v "$1" >/dev/null 2>&1 || { echo "is not there"; return; }
    "$1" -c 'import sys' >/dev/null 2>&1 || { echo "does not run"; return; }
    "$1" -c '
import sys
v = sys.version_info
if v < (3, 11):
    print("is Python %d.%d: too old, 3.11 or newer is needed" % v[:2])
else:
    try:
        import ensurepip, venv
    except ImportError as error:
        if sys.argv[1] != "uv":
            package = "python%d.%d-venv" % v[:2]
            print("is Python %d.%d without the module %s: on Debian and Ubuntu `sudo apt install %s`" % (v[0], v[1], error.name, package))
' "$2"
}

uv=""
if [ "${UV:-}" != no ]; then
    if [ -n "${UV:-}" ]; then uv=$UV; elif command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then uv=uv; fi
fi

# An environment that works and is of the version asked for stays.
version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo none; }
make_venv=yes
if [ -z "$(complaint "$VENV/bin/python" uv)" ]; then
    if [ -z "${PYTHON:-}" ] || [ "$(version "$PYTHON")" = "$(version "$VENV/bin/python")" ]; then make_venv=no; fi
fi

# Sets `chosen` to the first fitting Python, and `found` to what is wrong with those before it.
choose() {
    chosen=""
    found=""
    for candidate in "$@"; do
        why=$(complaint "$candidate" "${uv:+uv}")
        if [ -z "$why" ]; then
            chosen=$candidate
            return
        fi
        case $why in
            "is not there" | "does not run") [ $# -gt 1 ] || found="$candidate $why" ;;
            *) found="${found:+$found
  }$candidate $why" ;;
        esac
    done
}

if [ $make_venv = yes ]; then
    if [ -n "${PYTHON:-}" ]; then choose "$PYTHON"; else choose python3.13 python3.12 python3.11 python3 python; fi
    if [ -z "$chosen" ]; then
        say "Triglot needs Python 3.11 or newer with its venv module, and found none:"
        say "  ${found:-no python3 or python on PATH}"
        say "Install one, or name it: make install PYTHON=/path/to/python3.12"
        exit 2
    fi
    say "Setting up $VENV with $chosen ($("$chosen" -V 2>&1))"
    rm -rf "$VENV"
    if "$chosen" -c 'import ensurepip, venv' 2>/dev/null; then
        "$chosen" -m venv "$VENV"
    else
        "$uv" venv --quiet --python "$(command -v "$chosen")" "$VENV"
    fi
fi
python=$VENV/bin/python

# uv installs in a fifth of pip's time; pip alone does as well.
if [ -z "$uv" ] && [ "${UV:-}" != no ]; then
    [ -x "$VENV/bin/uv" ] || "$python" -m pip install -qq --disable-pip-version-check uv || say "uv cannot be installed here; pip does the work"
    [ ! -x "$VENV/bin/uv" ] || uv=$VENV/bin/uv
fi

if [ -n "$uv" ]; then
    # uv does not read pip's configuration: mirrors, wheel folders and certificates that pip knows are handed on.
    settings=$("$python" tools/pip_settings.py)
    eval "$settings"
    install() { "$uv" pip install --quiet --python "$python" "$@"; }
    reinstall_torch="--reinstall-package torch"
else
    install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }
    reinstall_torch="--force-reinstall"
fi
[ -z "${WHEELS:-}" ] || set -- --find-links "$WHEELS" "$@"

# torch comes first, with what it depends on, so that nothing else is taken from its index.
if [ -n "${TORCH_INDEX:-}" ] && [ "$(cat "$VENV/torch-index" 2>/dev/null)" != "$TORCH_INDEX" ]; then
    say "Installing torch from $TORCH_INDEX"
    # shellcheck disable=SC2086 # two words for pip
    install --index-url "$TORCH_INDEX" $reinstall_torch -c constraints.txt torch
    echo "$TORCH_INDEX" >"$VENV/torch-index"
fi
say "Installing into $VENV with $([ -n "$uv" ] && echo uv || echo pip): $*"
install -c constraints.txt "$@"
