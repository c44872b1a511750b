#!/usr/bin/env bash
# Installs what is missing, builds the server with its page and the plugin, and starts it.
# What follows on the command line goes to live-vlm: ./run.sh --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/setup.sh

setup_run
cargo build --release --locked
exec target/release/live-vlm "$@"
