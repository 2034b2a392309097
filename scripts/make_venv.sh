#!/bin/sh
# Make a virtual environment from Python 3.11 or newer: make_venv.sh FOLDER [PYTHON]
set -eu
folder=$1
chosen=${2:-}

# Runs the program instead of looking for its name: a version manager's shim may be there without
# the Python behind it, and Debian's Python may come without venv.
fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}
whole() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

if [ -n "$chosen" ]; then
    if ! fits "$chosen"; then
        echo "PYTHON=$chosen is not Python 3.11 or newer; name one that is, or leave PYTHON out." >&2
        exit 2
    fi
    candidates=$chosen
else
    candidates="python3.12 python3.11 python3 python"
fi

incomplete=
for python in $candidates; do
    fits "$python" || continue
    if ! whole "$python"; then
        incomplete=$python
        continue
    fi
    echo "Making $folder with $("$python" --version)."
    "$python" -m venv "$folder"
    # An old pip may not know the newest package format.
    exec "$folder/bin/python" -m pip install --quiet --upgrade pip
done

if [ -n "$incomplete" ]; then
    echo "$incomplete has no venv module; install it (Debian and Ubuntu: apt install python3-venv)." >&2
else
    echo "Python 3.11 or 3.12 was not found; install one, or name it: make app PYTHON=/path/to/python3.12" >&2
fi
exit 2
