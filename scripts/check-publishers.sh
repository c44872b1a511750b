#!/usr/bin/env bash
# Publishes video with aiortc to a server of its own, in each codec and with each end of the DTLS
# handshake, and fails unless every one is answered. Takes about a minute; aiortc comes from PyPI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh

setup_run
cargo build --locked --package live-vlm
venv=target/publishers
ensure_venv "$venv" tests/publishers/requirements.txt

home="$(mktemp -d)"
server=
# shellcheck disable=SC2329 # called by trap
end() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    rm -rf "$home"
}
trap end EXIT
# Port 0: any that is free. The address stands in the server's first lines.
HOME="$home" XDG_DATA_HOME="$home" XDG_CONFIG_HOME="$home" \
    target/debug/live-vlm --host 127.0.0.1 --port 0 --no-ssl >"$home/log" 2>&1 &
server=$!
address=
for _ in $(seq 300); do
    address="$(grep -o 'http://[a-z0-9.]*:[0-9]*' "$home/log" | grep -v ':0$' | head -n 1 || true)"
    [ -z "$address" ] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
if [ -z "$address" ]; then
    echo "The server did not start:" >&2
    cat "$home/log" >&2
    exit 1
fi
failed=0
for codec in VP8 H264; do
    for setup in actpass active passive; do
        "$venv/bin/python" tests/publishers/aiortc_publisher.py "$address" "$codec" "$setup" ||
            failed=$((failed + 1))
    done
done
[ "$failed" = 0 ]
