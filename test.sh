#!/usr/bin/env bash
# Installs what is missing and runs every test: formatting, lints, docs, Rust, page, browser.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/setup.sh

setup_test
# All of the plugin that the GStreamer here has.
features=()
if pkg-config --atleast-version=1.24 gstreamer-analytics-1.0; then
    features=(--features gst-plugin-vlm/v1_24)
fi

step "Formatting and lints"
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
cargo clippy --workspace --all-targets --locked "${features[@]}" -- -D warnings
if [ ${#features[@]} = 0 ]; then scripts/check-v1_24.sh; fi
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet \
    "${features[@]}"
(cd web/page && npm run --silent check && npm run --silent lint)
(cd tests/browser && npm run --silent check)

step "Page"
(cd web/page && npm test --silent)

step "Rust"
G_DEBUG=fatal_warnings cargo nextest run --workspace --locked "${features[@]}"
cargo test --workspace --doc --locked --quiet "${features[@]}"

step "Networks of several hosts"
if may_make_networks; then
    # These are ignored otherwise.
    networks="binary_id(live-vlm-tests::network)"
    if command -v turnserver >/dev/null; then
        networks+=" | test(coturn::)"
    else
        echo "Left out: the tests with coturn, which is not there." >&2
    fi
    G_DEBUG=fatal_warnings cargo nextest run --workspace --locked "${features[@]}" \
        --run-ignored only -E "$networks"
else
    echo "Left out: the tests with several hosts. They need the right to make network namespaces." >&2
fi

step "Fuzzing"
scripts/fuzz.sh 20

step "Browser"
# The server as the tests before have built it.
(cd tests/browser && LIVE_VLM_BINARY="$PWD/../../target/debug/live-vlm-under-test" npm test --silent)

step "All tests passed"
