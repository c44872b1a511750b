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

The licences of the crates that they are linked with are in each.

  --output DIR    the folder for the packages; target/debian without it
  --binaries DIR  package what is in DIR already, instead of building
  --fast          compress less
  --help

Environment:
  DEBFULLNAME, DEBEMAIL  who maintains the packages; git's user without them
TEXT
}

output='' binaries='' compression=()
while [ $# -gt 0 ]; do
    case "$1" in
        --help | -h) usage && exit 0 ;;
        --fast) compression=(--fast) ;;
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
    need_binaries "$binaries" libgstvlm.so "${SERVER[@]}"
    # cargo-deb looks for programs in the target folder only.
    CARGO_TARGET_DIR="$(mktemp -d)"
    export CARGO_TARGET_DIR
    trap 'rm -rf "$CARGO_TARGET_DIR"' EXIT
    mkdir "$CARGO_TARGET_DIR/release"
    for file in libgstvlm.so "${SERVER[@]}"; do
        ln -s "$binaries/$file" "$CARGO_TARGET_DIR/release/"
    done
else
    build_release gst-plugin-vlm "${SERVER[@]}"
fi

# Whoever makes a package answers for it: $1 from the environment, or else git's $2, or else $3.
whose() { echo "${!1:-$(git config "$2" || echo "$3")}"; }
maintainer="$(whose DEBFULLNAME user.name "$(id -un)")"
maintainer+=" <$(whose DEBEMAIL user.email "$(id -un)@$(uname -n)")>"

# Makes a package of the crate $1, with what is linked with the crates $2; what follows goes to
# cargo-deb.
make_package() {
    local crate="$1" linked="$2"
    shift 2
    # Names of crates have no spaces.
    # shellcheck disable=SC2086
    scripts/licences.sh $linked | gzip -9n >"$(target_folder)/release/$crate-licences.txt.gz"
    cargo deb --package "$crate" --maintainer "$maintainer" --no-build --locked --strip \
        --output "$output/" "${compression[@]}" "$@"
}

# Several architectures of a plugin can be installed at once.
make_package gst-plugin-vlm gst-plugin-vlm --multiarch=same
make_package live-vlm "${SERVER[*]}"
