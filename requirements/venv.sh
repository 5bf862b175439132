#!/bin/sh
# Makes the virtual environment DIRECTORY with the Python given. On a Debian that lacks what this needs (python3 comes there
# without ensurepip, and Rust links with a C compiler), installs it where it may; elsewhere says what to install.
#     requirements/venv.sh PYTHON DIRECTORY
set -eu
python=$1
directory=$2

"$python" - <<'CHECK' || exit 1
import sys
if sys.version_info < (3, 11):
    sys.exit(f"Diantan needs Python 3.11 or newer, this is {sys.version.split()[0]} (make PYTHON=… takes another one)")
CHECK
command -v cargo >/dev/null || { echo "Diantan needs a Rust toolchain: cargo is not on the PATH" >&2; exit 1; }

missing=
"$python" -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
if [ -n "$missing" ]; then
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    if command -v apt-get >/dev/null && { [ -z "$as_root" ] || command -v sudo >/dev/null; }; then
        echo "installing$missing"
        $as_root apt-get update -qq
        # shellcheck disable=SC2086 # the names are words
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        echo "Diantan needs, and may not install here:$missing" >&2
        exit 1
    fi
fi
"$python" -m venv "$directory"
