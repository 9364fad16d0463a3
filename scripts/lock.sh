#!/usr/bin/env bash
# Writes the lock files anew: versions and hashes for every platform and Python >= 3.11, and
# never the address of a package index (so that any mirror can serve them).
# Usage: scripts/lock.sh UV [--upgrade]   (UV: path of the uv program)
set -euo pipefail
uv=$1
shift

compile() {
    "$uv" --no-config pip compile --quiet --universal --python-version 3.11 \
        --fork-strategy fewest --generate-hashes --no-emit-index-url --no-emit-find-links \
        --custom-compile-command "make lock" "$@"
}

compile pyproject.toml -o requirements.lock "$@"
compile pyproject.toml --extra arrow -c requirements.lock -o requirements-arrow.lock "$@"
compile --group build -o requirements-build.lock "$@"
compile pyproject.toml --extra dev --group build -c requirements-arrow.lock \
    -c requirements-build.lock -o requirements-dev.lock "$@"
compile pyproject.toml --extra dev --extra fuzz --group build -c requirements-dev.lock \
    -o requirements-fuzz.lock "$@"
for peer in benchmarks/peers/*.in; do
    compile "$peer" -o "${peer%.in}.lock" "$@"
done
