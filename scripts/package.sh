#!/usr/bin/env bash
# Makes the Debian packages gstreamer1.0-vlm and live-vlm and prints where they are:
# scripts/package.sh --help
set -euo pipefail
from="$PWD"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh
source scripts/artefacts.sh

usage() {
    cat <<'TEXT'
Usage: scripts/package.sh [OPTION]...

Builds the GStreamer plugin and the server, and makes a Debian package of each:
gstreamer1.0-vlm and live-vlm. They fit the release of Debian or Ubuntu that they are made on.

  --output DIR    the folder for the packages; target/debian without it
  --binaries DIR  package what is in DIR already, instead of building
  --help
TEXT
}

output='' binaries=''
while [ $# -gt 0 ]; do
    case "$1" in
        --help | -h) usage && exit 0 ;;
        --output | --binaries)
            if [ -z "${2:-}" ]; then
                echo "$1 needs a folder. See scripts/package.sh --help." >&2
                exit 1
            fi
            printf -v "${1#--}" %s "$(cd "$from" && realpath -m -- "$2")"
            shift
            ;;
        *)
            echo "\"$1\" is not known. See scripts/package.sh --help." >&2
            exit 1
            ;;
    esac
    shift
done

need_cargo
if ! command -v dpkg-shlibdeps >/dev/null; then
    echo "There is no dpkg-shlibdeps. Run ./run.sh once on Debian or Ubuntu: it installs it." >&2
    exit 1
fi
ensure_cargo_deb
output="${output:-$(target_folder)/debian}"

if [ -n "$binaries" ]; then
    need_binaries "$binaries" libgstvlm.so live-vlm
    # cargo-deb looks for programs in the target folder only.
    CARGO_TARGET_DIR="$(mktemp -d)"
    export CARGO_TARGET_DIR
    trap 'rm -rf "$CARGO_TARGET_DIR"' EXIT
    ln -s "$binaries" "$CARGO_TARGET_DIR/release"
else
    build_release gst-plugin-vlm live-vlm
fi

# Several architectures of a plugin can be installed at once.
cargo deb --package gst-plugin-vlm --multiarch=same --no-build --locked --strip --output "$output/"
cargo deb --package live-vlm --no-build --locked --strip --output "$output/"
