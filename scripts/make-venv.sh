#!/usr/bin/env bash
# Makes the virtual environment .venv anew and installs the locked packages.
# Usage: scripts/make-venv.sh   (in the repository's root)
set -euo pipefail

python=$(scripts/find-python.sh)
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian keeps these two modules in a package of their own.
    version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    scripts/apt-tools.sh "none-such=$version-venv"
    "$python" -c 'import ensurepip, venv' || exit 1
fi

echo "virtual environment .venv ($("$python" -V))"
"$python" -m venv --clear .venv
echo "installing the locked packages (requirements.lock)"
.venv/bin/python -m pip --disable-pip-version-check --no-input install --quiet --require-hashes \
    -r requirements.lock -r requirements-build.lock
