#!/usr/bin/env bash
# Checks the licences, sources, duplicates and known vulnerabilities of all dependencies by
# deny.toml, and that each dependency is used. The first run builds the two tools, which takes some
# minutes. With --offline it leaves out the vulnerabilities, whose list is on the network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh
readonly CARGO_DENY_VERSION=0.20.2
readonly CARGO_MACHETE_VERSION=0.9.2

checks=(licenses bans sources)
case "${1:-}" in
    '') checks+=(advisories) ;;
    --offline) ;;
    *)
        echo "\"$1\" is not known. Usage: scripts/check-dependencies.sh [--offline]" >&2
        exit 1
        ;;
esac

ensure_rust
# Installs the cargo subcommand $1 in version $2, unless some version of it is there.
ensure_subcommand() {
    command -v "$1" >/dev/null && return 0
    step "Installing $1"
    cargo install --locked "$1@$2" >&2
}
ensure_subcommand cargo-deny "$CARGO_DENY_VERSION"
ensure_subcommand cargo-machete "$CARGO_MACHETE_VERSION"

step "Licences, sources, duplicates, vulnerabilities"
cargo deny --locked --config deny.toml check "${checks[@]}"
step "Unused dependencies"
cargo machete
