#!/usr/bin/env bash
# Makes sure that programs which are no Python packages are there.
# Usage: scripts/apt-tools.sh PROGRAM=PACKAGE …   (PROGRAM may list alternatives: a|b)
# Root on a machine with apt: missing ones are installed, and no service is started or enabled.
# Anyone else: missing ones are named. Exits 0 either way; tests and the demo say what they lack.
set -euo pipefail

present() {
    local program
    for program in ${1//|/ }; do
        command -v "$program" >/dev/null && return 0
    done
    return 1
}

missing=()
for pair in "$@"; do
    package=${pair#*=}
    [[ " ${missing[*]} " == *" $package "* ]] || present "${pair%%=*}" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "not found on PATH: ${missing[*]} (as root with apt, make installs them; otherwise install them yourself)" >&2
    exit 0
fi

# invoke-rc.d and deb-systemd-invoke ask this file; 101 means "do not start".
policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

echo "installing from Debian: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    echo "could not install: ${missing[*]} (going on without)" >&2
fi
rm -f "$log"

# The programs are wanted, not Debian's services at the next boot.
if [ -d /run/systemd/system ]; then
    for package in "${missing[@]}"; do
        case $package in
        prometheus | prometheus-*) systemctl disable --quiet "$package" 2>/dev/null || true ;;
        esac
    done
fi
