#!/usr/bin/env bash
# Runs ./test.sh, or another command, in a Debian of its own on this machine:
# scripts/test-in-debian.sh --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh
source scripts/debian-root.sh

usage() {
    cat <<'TEXT'
Usage: scripts/test-in-debian.sh [SUITE] [COMMAND [ARGUMENT]...]

Copies what is committed here into a Debian SUITE (trixie) of its own, and runs COMMAND (./test.sh)
there, as root and without a container engine. The first run makes that Debian with debootstrap;
it stays, with all that was built in it, in /var/cache/live-vlm-test/SUITE. To begin afresh,
delete that folder.

It reaches the network as this machine does: its apt mirror, proxies and certificates count, and
the settings of cargo, npm and pip. This machine's Rust, cargo-nextest and cargo-deb are used
if there are any. One run at a time; its mounts and processes end with it.

Environment:
  DEBIAN_ROOTS   the folder of the Debians, in place of /var/cache/live-vlm-test
  DEBIAN_MIRROR  where packages come from, in place of this machine's own mirror
  LIMIT          how long COMMAND may take, as `timeout` has it; 2h without it. Ended by that, the
                 exit status is 124 or 137
TEXT
}

readonly COPY=/srv/live-vlm
readonly NEEDED=(ca-certificates git)

case "${1:-}" in --help | -h) usage && exit 0 ;; esac
suite="${1:-trixie}"
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- ./test.sh
if ! [[ "$suite" =~ ^[a-z]+$ ]]; then
    echo "\"$suite\" is no suite of Debian, such as trixie. See scripts/test-in-debian.sh --help." >&2
    exit 1
fi
need_root
root="$DEBIAN_ROOTS/$suite"

# Brings what is committed here into the root. What is built and installed there stays.
copy_checkout() {
    local copy="$root$COPY"
    [ -z "$(git status --porcelain)" ] || echo "What is not committed is left out." >&2
    [ -d "$copy/.git" ] || git init --quiet "$copy"
    git -C "$copy" fetch --quiet --depth 1 "file://$PWD" HEAD
    git -C "$copy" checkout --quiet --force --detach FETCH_HEAD
    git -C "$copy" clean --quiet --force -d
}

# Makes $1 of this machine readable in the root, there or at $2.
show() {
    [ -e "$1" ] || return 0
    local at="$root${2:-$1}"
    mkdir -p "$(dirname "$at")"
    if [ -d "$1" ]; then mkdir -p "$at"; else [ -e "$at" ] || : >"$at"; fi
    mount --bind "$(realpath "$1")" "$at"
    mount -o remount,bind,ro "$at"
}

# Runs a command in the root, as the first process of namespaces of its own: they end with it,
# and all mounts and processes in them.
inside() {
    local folder variable value environment path sysroot program
    mount -t proc proc "$root/proc"
    for folder in sys dev; do
        mount --rbind "/$folder" "$root/$folder"
        mount --make-rslave "$root/$folder"
    done
    show /etc/resolv.conf
    show /etc/hosts
    show /usr/local/share/ca-certificates
    show /etc/apt/auth.conf.d
    show /etc/pip.conf
    show "$HOME/.config/pip" /root/.config/pip
    show "$HOME/.npmrc" /root/.npmrc
    show "${CARGO_HOME:-$HOME/.cargo}/config.toml" /root/.cargo/config.toml

    path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    # Rust of the system itself would miss its libraries there.
    sysroot="$(rustc --print sysroot 2>/dev/null || true)"
    if [ -n "$sysroot" ] && [ "$sysroot" != /usr ]; then
        show "$sysroot" /opt/rust
        path="/opt/rust/bin:$path"
    fi
    for program in cargo-nextest cargo-deb; do
        ! command -v "$program" >/dev/null ||
            show "$(command -v "$program")" "/usr/local/bin/$program"
    done

    environment=(HOME=/root LANG=C.UTF-8 "PATH=$path" "TERM=${TERM:-dumb}")
    while IFS= read -r -d '' variable; do
        value="${variable#*=}"
        case "${variable%%=*}" in
            # Folders of this machine are not there.
            CARGO_HOME | CARGO_*_DIR) ;;
            *_proxy | *_PROXY | PIP_* | CARGO_* | RUST_* | npm_config_*)
                environment+=("$variable")
                ;;
            SSL_CERT_* | *_CA_BUNDLE | *_CAINFO | NODE_EXTRA_CA_CERTS)
                environment+=("$variable")
                [ -e "$root$value" ] || show "$value"
                ;;
        esac
    done < <(env -0)

    # The network's certificates first, which its packages may need.
    chroot "$root" update-ca-certificates >/dev/null
    chroot "$root" env -i "${environment[@]}" \
        bash -c 'cd "$1" && shift && "$@"' bash "$COPY" "$@"
}

lock_debian "$root"
[ -d "$root" ] || make_debian "$root" "$suite" "${NEEDED[@]}"
copy_checkout
step "$* in Debian $suite"
export -f inside show
export root COPY
# The namespaces' first process minds no signal but KILL. It holds the lock, until all is over.
exec timeout --foreground --kill-after=5 "${LIMIT:-2h}" setpriv --pdeathsig KILL \
    unshare --mount --pid --fork --kill-child bash -euo pipefail -c 'inside "$@"' inside "$@"
