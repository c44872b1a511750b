#!/usr/bin/env bash
# Installs what is missing and runs the tests: ./test.sh --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source scripts/setup.sh

usage() {
    cat <<'TEXT'
Usage: ./test.sh [STEP]...

Installs what is missing and runs every step, or those that are named, in this order:

  lint      formatting, lints and documentation of the Rust code, types and lints of the page
  page      tests of the page
  rust      tests of all crates
  fuzz      every fuzz target for 10 seconds
  doc       the examples in the documentation of all crates
  networks  tests with several hosts, which need the right to make network namespaces
  browser   tests in Chromium, and the main ones in Firefox

fuzz and doc run at low priority beside rust, whose tests wait for most of their time.

CONTRIBUTING.md says how to run one test.
TEXT
}

# All of the plugin that the GStreamer here has.
find_features() {
    features=()
    if pkg-config --atleast-version=1.24 gstreamer-analytics-1.0; then
        features=(--features gst-plugin-vlm/v1_24)
    fi
}

step_lint() {
    ensure_npm tests/browser
    step "Formatting and lints"
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check
    cargo clippy --workspace --all-targets --locked "${features[@]}" -- -D warnings
    if [ ${#features[@]} = 0 ]; then scripts/check-v1_24.sh; fi
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked \
        --quiet "${features[@]}"
    (cd web/page && npm run --silent check && npm run --silent lint)
    (cd tests/browser && npm run --silent check)
}

step_page() {
    step "Page"
    (cd web/page && npm test --silent)
}

step_rust() {
    ensure_apt "${TEST_PACKAGES[@]}"
    ensure_nextest
    ensure_cargo_deb
    step "Rust"
    # They wait for two thirds of their time.
    G_DEBUG=fatal_warnings cargo nextest run --workspace --locked "${features[@]}" \
        --test-threads "$((2 * $(nproc)))"
}

step_fuzz() {
    step "Fuzzing"
    scripts/fuzz.sh 10
}

step_doc() {
    step "Examples in the documentation"
    cargo test --workspace --doc --locked --quiet "${features[@]}"
}

step_networks() {
    ensure_apt "${TEST_PACKAGES[@]}"
    ensure_nextest
    ensure_browsers
    ensure_coturn
    step "Networks of several hosts"
    if ! may_make_networks; then
        echo "Left out: the tests with several hosts. They need the right to make network namespaces." >&2
        return 0
    fi
    # These are ignored otherwise.
    local networks="binary_id(live-vlm-tests::network)"
    if command -v turnserver >/dev/null; then
        networks+=" | test(coturn::)"
    else
        echo "Left out: the tests with coturn, which is not there." >&2
    fi
    G_DEBUG=fatal_warnings cargo nextest run --workspace --locked "${features[@]}" \
        --run-ignored only -E "$networks"
}

step_browser() {
    local server="$PWD/target/debug/live-vlm-under-test"
    ensure_apt "${TEST_PACKAGES[@]}"
    ensure_browsers
    step "Browser"
    # As the step before has built it, so that nothing is built twice.
    cargo test --workspace --no-run --locked --quiet "${features[@]}"
    (cd tests/browser && LIVE_VLM_BINARY="$server" npm test --silent)
}

# Begins these steps at the lowest priority, in the background.
begin_beside() {
    beside_output="$(mktemp)"
    # A process group of its own, which can be ended as a whole.
    set -m
    {
        renice -n 19 "$BASHPID" >/dev/null
        for name in "$@"; do "step_$name"; done
    } </dev/null >"$beside_output" 2>&1 &
    beside=$!
    set +m
    trap 'kill -- "-$beside" || true; rm "$beside_output"' EXIT
}

# Waits for them and shows what they print.
end_beside() {
    local status=0
    wait "$beside" || status=$?
    trap - EXIT
    cat "$beside_output" >&2
    rm "$beside_output"
    return "$status"
}

readonly STEPS=(lint page rust fuzz doc networks browser)
wanted=()
for argument in "$@"; do
    case "$argument" in
        --help | -h) usage && exit 0 ;;
        *)
            if [[ " ${STEPS[*]} " != *" $argument "* ]]; then
                echo "There is no step \"$argument\". See ./test.sh --help." >&2
                exit 1
            fi
            wanted+=("$argument")
            ;;
    esac
done
[ ${#wanted[@]} -gt 0 ] || wanted=("${STEPS[@]}")

is_wanted() { [[ " ${wanted[*]} " == *" $1 "* ]]; }

setup_run
find_features
others=()
for name in fuzz doc; do
    if is_wanted rust && is_wanted "$name"; then others+=("$name"); fi
done
for name in "${STEPS[@]}"; do
    if ! is_wanted "$name" || [[ " ${others[*]} " == *" $name "* ]]; then continue; fi
    # Not behind || or &&: there a step would go on after what fails.
    if [ "$name" = rust ]; then begin_beside "${others[@]}"; fi
    "step_$name"
    if [ "$name" = rust ]; then end_beside; fi
done
step "Passed: ${wanted[*]}"
