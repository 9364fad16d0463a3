#!/usr/bin/env bash
# Builds the container image and runs it, for real, on a machine without a container engine:
# a Debian base by debootstrap, the image by buildah, the containers by podman. Needs root; takes
# some minutes. Everything it makes lies in one temporary folder, which is removed at the end; only
# the Debian packages of the three tools stay.
#
#   IMAGE_TEST_BASE=DIR   use this root file system (made by debootstrap before) as base
#   IMAGE_TEST_VOLUMES='A:B:ro …'   mount these while building (pip's configuration, certificates)
#   STORAGE_DRIVER=overlay   faster than the default vfs where it works
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" -eq 0 ] || { echo "the image test needs root" >&2 && exit 1; }
scripts/apt-tools.sh debootstrap=debootstrap buildah=buildah podman=podman runc=runc

work=$(mktemp -d)
base_image=localhost/modelmeter-test-base:3.11
image=localhost/modelmeter-test:latest
export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}
storage=(--root "$work/storage" --runroot "$work/run")
port=$(.venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# What a machine inside a container allows; health checks would want systemd's timers.
modest=(--network host --no-healthcheck --ulimit nofile=1024:4096 --ulimit nproc=2048:2048)

build() { buildah "${storage[@]}" "$@"; }
engine() { podman --runtime runc --cgroup-manager cgroupfs --log-level error "${storage[@]}" "$@"; }

clean_up() {
    engine rm --force --time 0 --all >/dev/null 2>&1 || true
    engine rmi --force --all >/dev/null 2>&1 || true
    umount -R "$work/storage" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

step() { printf '\n== %s\n' "$*"; }
fail() {
    echo "FAILED: $*" >&2
    engine logs monitor >&2 2>/dev/null || true
    exit 1
}

make_base() {
    local folder=${IMAGE_TEST_BASE:-$work/base}
    if [ -z "${IMAGE_TEST_BASE:-}" ]; then
        debootstrap --variant=minbase --include=python3.11,python3.11-venv,python3-pip,ca-certificates \
            bookworm "$folder" >"$work/debootstrap.log" 2>&1 ||
            { tail -n 20 "$work/debootstrap.log" >&2 && fail "debootstrap"; }
    fi
    # Where the official Python images have it, and where the Dockerfile looks for it.
    ln -sf /usr/bin/python3.11 "$folder/usr/local/bin/python"
    tar -C "$folder" -c --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* . |
        engine import --quiet - "$base_image"
}

build_image() {
    local volume volumes=()
    for volume in ${IMAGE_TEST_VOLUMES:-}; do volumes+=(--volume "$volume"); done
    build bud --isolation chroot --network host --format docker --layers=false \
        "${volumes[@]}" --build-arg "BASE_IMAGE=$base_image" --tag "$image" . >"$work/build.log" 2>&1 ||
        { tail -n 30 "$work/build.log" >&2 && fail "build"; }
}

# run NAME OPTIONS… -- COMMAND…: a container with the rights of docker-compose.yml.
run() {
    local name=$1 options=()
    shift
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    engine run --detach --name "$name" "${modest[@]}" \
        --read-only --read-only-tmpfs=false --tmpfs /tmp --cap-drop all \
        --security-opt no-new-privileges "${options[@]}" "$image" "$@" >/dev/null
}

# within SECONDS COMMAND…: repeats the command until it succeeds.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

ask() { engine exec monitor python -c "import urllib.request as r; print(r.urlopen(r.Request('http://127.0.0.1:$port$1', $2)).read().decode())"; }
post() { ask /v1/events "b'{\"model\":\"m\",\"prediction\":\"1\",\"label\":\"1\"}', {'Content-Type': 'application/json'}"; }
scraped() { ask /metrics None | grep -qE "$1"; }

step "base image"
make_base

step "build"
build_image
engine image inspect "$image" --format 'user {{.Config.User}}, {{.Size}} bytes'

step "what is in it"
engine run --rm "${modest[@]}" "$image" version
user=$(engine image inspect "$image" --format '{{.Config.User}}')
[ "$user" = 65532:65532 ] || fail "runs as '$user'"
engine image inspect "$image" --format '{{json .Config.Healthcheck}}' | grep -q healthcheck || fail "no HEALTHCHECK"
engine run --rm "${modest[@]}" --entrypoint python "$image" -c \
    'import importlib.util as u; assert not u.find_spec("pip"), "pip is in the image"'

step "run, read-only, beside a model server of the same user"
run model --entrypoint python -- -c \
    'import http.server as h; h.HTTPServer(("127.0.0.1", 0), h.BaseHTTPRequestHandler).serve_forever()'
run monitor --pid container:model --env MODELMETER_MODEL_SERVER_CMDLINE=http.server \
    --volume "$(mktemp -d -p "$work"):/var/lib/modelmeter:U" \
    -- serve --web.listen-address "127.0.0.1:$port"
within 30 engine exec monitor modelmeter healthcheck --web.listen-address "127.0.0.1:$port" || fail "not healthy"
post | grep -q '"accepted": *1' || fail "event not accepted"
within 10 scraped '^model_predictions_total\{.*model="m".*\} 1(\.0)?$' || fail "event not counted"
within 10 scraped '^model_server_up 1(\.0)?$' || fail "the model server's process is not seen"
within 10 scraped '^model_server_resident_memory_bytes [1-9]' || fail "its memory is not seen"
within 10 scraped '^model_server_open_fds [1-9]' || fail "its files are not seen"

step "end"
engine stop --time 20 monitor >/dev/null
code=$(engine inspect monitor --format '{{.State.ExitCode}}')
[ "$code" = 0 ] || fail "SIGTERM ended with status $code"

printf '\nimage test passed\n'
