#!/usr/bin/env bash
# Runs the product against real VLM servers that it sets up on this machine:
# scripts/check-servers.sh --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh
source scripts/debian-root.sh

usage() {
    cat <<'TEXT'
Usage: scripts/check-servers.sh [SERVER]...

Sets each SERVER up on this machine (llama-cpp and litellm without any), has live-vlm and
vlmanalyze ask it, and fails unless all is as it must be. It needs root, to chroot and for
namespaces.

  llama-cpp     llama.cpp from Debian sid's package, with weights made here; 0.3 GB
  litellm       LiteLLM's proxy, in front of a model that answers and two that fail; 0.7 GB
  envoy         the same with Envoy; 0.2 GB
  routers       vllm-router and sglang-router, each in front of two servers; 0.3 GB
  transformers  `transformers serve` from Debian sid's package, with weights made here; 2 GB

The first run downloads. What it gets of Debian stays in /var/cache/live-vlm-test/sid-SERVER, what it
gets of PyPI in target/servers. To begin afresh, delete those.
Each server and what asks it run in a network of their own that leads nowhere, and end with it.
Logs are in target/servers/log.

Environment:
  BINARIES       a folder with live-vlm and libgstvlm.so, in place of building them here
  DEBIAN_ROOTS   the folder of Debians, in place of /var/cache/live-vlm-test
  DEBIAN_MIRROR  where packages come from, in place of this machine's own mirror
  LIMIT          how long the checks of one server may take, as `timeout` has it; 10m without it
TEXT
}

readonly VENVS=target/servers
readonly USUAL=(llama-cpp litellm)
readonly ALL=(llama-cpp litellm envoy routers transformers)

# What server $1 needs, beside the product and what asks it.
prepare() {
    case "$1" in
        llama-cpp)
            prepare_root "$1" llama.cpp
            mkdir -p "$(root_of "$1")/srv/tiny"
            "$VENVS/check/bin/python" tests/servers/tiny_llama.py "$(root_of "$1")/srv/tiny"
            ;;
        transformers)
            prepare_root "$1" python3-transformers python3-accelerate python3-fastapi \
                python3-openai python3-pil python3-uvicorn
            ;;
        *) ensure_venv "$VENVS/$1" "tests/servers/$1.txt" ;;
    esac
}

root_of() { echo "$DEBIAN_ROOTS/sid-$1"; }

# Makes the Debian of server $1 with the packages after it, unless it is there.
prepare_root() {
    local root
    root="$(root_of "$1")"
    shift
    [ -d "$root" ] || make_debian "$root" sid ca-certificates "$@"
}

# Checks server $1. It ends with all that was started in it.
check() {
    local log="$VENVS/log/$1"
    rm -rf "$log"
    mkdir -p "$log"
    step "The product and $1"
    # The namespaces' first process minds no signal but KILL, and gets it when this script ends.
    setpriv --pdeathsig KILL timeout --foreground --kill-after=5 "${LIMIT:-10m}" \
        setpriv --pdeathsig KILL unshare --net --mount --mount-proc --pid --fork --kill-child \
        env FOLDER="$PWD/$log" LIVE_VLM="$binaries/live-vlm" PLUGIN="$binaries/libgstvlm.so" \
        ROOT="$(root_of "$1")" VENVS="$PWD/$VENVS" PYTHONPATH=tests/publishers \
        bash -euo pipefail -c 'inside "$1"' inside "$1"
}

# The first process in the namespaces.
inside() {
    ip link set lo up
    [ ! -d "$ROOT" ] || mount -t proc proc "$ROOT/proc"
    exec "$VENVS/check/bin/python" tests/servers/check.py "$1"
}
export -f inside

case "${1:-}" in --help | -h) usage && exit 0 ;; esac
[ $# -gt 0 ] || set -- "${USUAL[@]}"
for server in "$@"; do
    if ! [[ " ${ALL[*]} " == *" $server "* ]]; then
        echo "\"$server\" is no server that this knows. See scripts/check-servers.sh --help." >&2
        exit 1
    fi
done
need_root
lock_debian "$DEBIAN_ROOTS/sid"

if [ -n "${BINARIES:-}" ]; then
    binaries="$(realpath "$BINARIES")"
else
    setup_run
    cargo build --locked --package live-vlm --package gst-plugin-vlm
    binaries="$PWD/target/debug"
fi
ensure_apt iproute2 openssl
ensure_venv "$VENVS/check" tests/publishers/requirements.txt tests/servers/requirements.txt
failed=()
for server in "$@"; do
    prepare "$server"
    check "$server" || failed+=("$server")
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "Failed: ${failed[*]}" >&2
    exit 1
fi
