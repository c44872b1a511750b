#!/usr/bin/env bash
# Runs every fuzz target for $1 seconds (10), two at a time, on the stable compiler. What crashes
# one is left in fuzz/artifacts. docs/fuzzing.md says how to run one for long.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../fuzz"
seconds="${1:-10}"

RUSTC_WRAPPER="$PWD/../scripts/fuzz-rustc.sh" CARGO_TARGET_DIR=target \
    cargo build --bins --locked --quiet

# What is found in a short run is not kept: the corpus is made by hand.
run() {
    local target="$1" found log status=0
    found="$(mktemp -d)"
    log="$found.log"
    mkdir -p "artifacts/$target"
    "target/debug/$target" -max_total_time="$2" -max_len=16384 -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="artifacts/$target/" "$found" "corpus/$target" 2>"$log" || status=$?
    if [ "$status" = 0 ]; then
        tail -n 1 "$log" | sed "s/^/$target: /"
    else
        cat "$log" >&2
    fi
    rm -rf "$found" "$log"
    return "$status"
}
export -f run

for target in fuzz_targets/*.rs; do
    basename "$target" .rs
done | xargs -P 2 -I {} bash -c 'run "$@"' run {} "$seconds"
