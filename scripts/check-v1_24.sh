#!/usr/bin/env bash
# Checks the types of what is behind the plugin's feature v1_24 where GStreamer is older: nothing is
# linked, so pkg-config is not asked for the libraries.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for library in gstreamer gstreamer-base gstreamer-video gstreamer-analytics; do
    name="$(tr a-z- A-Z_ <<<"$library")"
    export "SYSTEM_DEPS_${name}_1_0_NO_PKG_CONFIG=1" "SYSTEM_DEPS_${name}_1_0_LIB=$library-1.0"
done
# A folder of its own: the same libraries are built here without being asked for.
cargo clippy -p gst-plugin-vlm --all-targets --features v1_24 --locked --target-dir target/v1_24 -- -D warnings
