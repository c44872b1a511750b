#!/usr/bin/env bash
# Checks the project with the oldest Rust that Cargo.toml promises. rustup installs it if need be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh

setup_run
oldest="$(rust_wanted)"
rustup toolchain install "$oldest" --profile minimal >&2
# A folder of its own, so that nothing is built anew afterwards.
cargo "+$oldest" check --workspace --all-targets --locked --target-dir target/oldest-rust
