# What one does every day. ./test.sh and the scripts do the work, and CI runs the same.
# `just` without a recipe lists them all; CONTRIBUTING.md says more.

[private]
default:
    @just --list --unsorted

# Build and start the server; what follows goes to live-vlm
run *ARGUMENTS:
    ./run.sh {{ ARGUMENTS }}

# Every test, or some steps of ./test.sh: lint page rust fuzz doc networks browser
test *STEPS:
    ./test.sh {{ STEPS }}

# Formatting, lints, documentation
lint: (test "lint")

# Format everything, and let the linters fix what they can
fix:
    cargo fmt --all
    cargo fmt --manifest-path fuzz/Cargo.toml
    cargo clippy --workspace --all-targets --locked --fix --allow-dirty --allow-staged
    cd web/page && npm run --silent format

# The Rust tests of one crate, or those that a filter names: just one live-vlm session::
one CRATE *FILTER:
    G_DEBUG=fatal_warnings cargo nextest run --locked -p {{ CRATE }} {{ FILTER }}

# One file of browser tests: just browser-one isolation
browser-one NAME:
    cargo build --locked -p live-vlm-tests --bins
    cd tests/browser && npm test -- specs/{{ NAME }}.spec.ts

# The Debian packages
package:
    scripts/package.sh

# The oldest Rust that Cargo.toml promises
oldest-rust:
    scripts/check-oldest-rust.sh

# Licences, known vulnerabilities and duplicates of dependencies, and those that nobody uses
dependencies:
    scripts/check-dependencies.sh
