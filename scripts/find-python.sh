#!/usr/bin/env bash
# Prints the path of a Python that can run modelmeter (>= 3.11), or says why there is none.
# PYTHON=… in the environment is tried first.
set -euo pipefail

try() {
    "$1" -c 'import sys; assert sys.version_info >= (3, 11); print(sys.executable)' 2>/dev/null
}

for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do
    command -v "$name" >/dev/null && try "$name" && exit 0
done
echo "modelmeter needs Python 3.11 or newer, and none was found on PATH." >&2
echo "Install one (Debian 12: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3.12 …" >&2
exit 1
