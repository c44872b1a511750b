# What install.sh and package.sh have in common: building the plugin and the server, or taking
# what is built. Sourced after setup.sh, in the project's folder.

# The programs of the server, and the packages that they are built from.
readonly SERVER=(live-vlm live-vlm-media)

# Whether a release build can begin. Nothing is installed here: that is ./run.sh's.
need_cargo() {
    [ -d "$HOME/.cargo/bin" ] && PATH="$HOME/.cargo/bin:$PATH"
    [ -x target/node/bin/node ] && PATH="$PWD/target/node/bin:$PATH"
    command -v cargo >/dev/null && return 0
    echo "There is no cargo. Run ./run.sh once: it installs what a build needs." >&2
    return 1
}

# Builds the packages $@ for users. Under sudo as whoever asked for it: it is their Rust, and
# root's files in target/ would be in their way afterwards.
build_release() {
    local packages=("${@/#/--package=}")
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_UID:-}" ] && [ "$SUDO_UID" != 0 ]; then
        sudo -H -u "#$SUDO_UID" bash -euo pipefail -c '
            source scripts/artefacts.sh
            need_cargo
            cargo build --release --locked "$@"' build "${packages[@]}" >&2
    else
        need_cargo
        cargo build --release --locked "${packages[@]}" >&2
    fi
}

# Whether folder $1 has every program of $2...
need_binaries() {
    local folder="$1" file
    shift
    for file in "$@"; do
        if [ ! -f "$folder/$file" ]; then
            echo "$folder has no $file. Give a folder that has, or leave --binaries out." >&2
            return 1
        fi
    done
}

target_folder() { realpath -m "${CARGO_TARGET_DIR:-target}"; }
