#!/usr/bin/env bash
# Installs what is missing and runs every test: formatting, lints, docs, Rust, page, browser.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/setup.sh

setup_test
step "Formatting and lints"
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
cargo clippy --workspace --all-targets --locked -- -D warnings
scripts/check-v1_24.sh
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet
(cd web/page && npm run --silent check && npm run --silent lint)
(cd tests/browser && npm run --silent check)

step "Page"
(cd web/page && npm test --silent)

step "Rust"
G_DEBUG=fatal_warnings cargo nextest run --workspace --locked
cargo test --workspace --doc --locked --quiet

step "Fuzzing"
scripts/fuzz.sh 20

step "Browser"
# The server as the tests before have built it.
(cd tests/browser && LIVE_VLM_BINARY="$PWD/../../target/debug/live-vlm-under-test" npm test --silent)

step "All tests passed"
