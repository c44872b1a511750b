# Sets a fresh Debian 12, Debian 13 or Ubuntu 24.04 machine up. Sourced by run.sh, test.sh and the scripts
# beside it; every step looks first whether there is anything to do.

# The oldest Node that builds the page, and the one that is installed where there is none: a release
# with long-term support, and the SHA-256 of its archives.
readonly NODE_WANTED=20
readonly NODE_VERSION=24.11.1
readonly NODE_SHA256_X64=60e3b0a8500819514aca603487c254298cd776de0698d3cd08f11dba5b8289a8
readonly NODE_SHA256_ARM64=6b0863fb9f627bf4a6c5948dce1de4398174a2e05dbe717503d828e211ca01f0
readonly NEXTEST_VERSION=0.9.143
readonly CARGO_DEB_VERSION=3.8.0

readonly BUILD_PACKAGES=(
    build-essential ca-certificates curl pkg-config
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstreamer-plugins-bad1.0-dev
    libpango1.0-dev
)
readonly RUN_PACKAGES=(
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
    gstreamer1.0-plugins-bad gstreamer1.0-libav gstreamer1.0-nice
)
# systemd: its systemd-analyze reads the unit. It is not started.
readonly TEST_PACKAGES=(
    gstreamer1.0-plugins-ugly gstreamer1.0-x fonts-dejavu-core systemd iproute2 nftables
)

step() { printf '\n== %s\n' "$*" >&2; }

setup_run() {
    ensure_apt "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}"
    ensure_rust
    ensure_node
    ensure_npm web/page
}

ensure_browsers() {
    ensure_npm tests/browser
    ensure_chromium
    ensure_firefox
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "This needs root and there is no sudo. As root, run: $*" >&2
        return 1
    fi
}

# The version of package $1 that apt would install, 0 without one.
apt_version() {
    local version
    version="$(apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }')"
    echo "${version:-0}"
}

# Whether version $1 is at least $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

ensure_apt() {
    local package missing=()
    if ! command -v apt-get >/dev/null; then
        echo "This is not Debian or Ubuntu. Please see to it that these are installed: $*" >&2
        return 0
    fi
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    step "Installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# The oldest Rust that builds the project, as Cargo.toml has it.
rust_wanted() { sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml; }

ensure_rust() {
    # rustup puts cargo here; a shell that was open before does not know.
    [ -d "$HOME/.cargo/bin" ] && PATH="$HOME/.cargo/bin:$PATH"
    if command -v rustc >/dev/null && at_least "$(rustc --version | cut -d' ' -f2)" "$(rust_wanted)"; then
        return 0
    fi
    step "Installing Rust"
    if command -v rustup >/dev/null; then
        rustup toolchain install stable --profile default >&2
        rustup default stable >&2
    else
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile default >&2
        PATH="$HOME/.cargo/bin:$PATH"
    fi
}

ensure_nextest() {
    command -v cargo-nextest >/dev/null && return 0
    step "Installing cargo-nextest"
    cargo install --locked "cargo-nextest@$NEXTEST_VERSION" >&2
}

ensure_cargo_deb() {
    command -v cargo-deb >/dev/null && return 0
    step "Installing cargo-deb"
    cargo install --locked "cargo-deb@$CARGO_DEB_VERSION" >&2
}

ensure_node() {
    if command -v node >/dev/null && at_least "$(node --version | tr -d v)" "$NODE_WANTED" &&
        command -v npm >/dev/null; then
        return 0
    fi
    # Debian 13 has Node 20.
    if at_least "$(apt_version nodejs)" "$NODE_WANTED"; then
        ensure_apt nodejs npm
        return 0
    fi
    # Debian 12 and Ubuntu 24.04 have Node 18; a newer one is a download beside the project.
    local arch checksum folder="$PWD/target/node"
    case "$(uname -m)" in
        x86_64) arch=x64 checksum="$NODE_SHA256_X64" ;;
        aarch64) arch=arm64 checksum="$NODE_SHA256_ARM64" ;;
        *) echo "Please install Node $NODE_WANTED or newer." >&2 && return 1 ;;
    esac
    if [ "$("$folder/bin/node" --version 2>/dev/null)" != "v$NODE_VERSION" ]; then
        install_node "node-v$NODE_VERSION-linux-$arch.tar.xz" "$checksum" "$folder"
    fi
    PATH="$folder/bin:$PATH"
}

# Installs Node's archive $1, whose SHA-256 is $2, into folder $3.
install_node() {
    step "Installing Node $NODE_VERSION beside the project"
    ensure_apt xz-utils
    # Beside its place first: one that broke off must not be taken for whole.
    rm -rf "$3" "$3.new"
    mkdir -p "$3.new"
    curl -sSf -o "$3.new/$1" "https://nodejs.org/dist/v$NODE_VERSION/$1"
    if ! sha256sum --quiet --check - <<<"$2  $3.new/$1"; then
        echo "$1 is not the file that scripts/setup.sh expects, so it was not unpacked." >&2
        return 1
    fi
    tar -xJf "$3.new/$1" -C "$3.new" --strip-components=1
    rm "$3.new/$1"
    mv "$3.new" "$3"
}

# Installs what the lock file of folder $1 says, unless that is what is installed.
ensure_npm() {
    local stamp="$1/node_modules/.installed"
    cmp -s "$1/package-lock.json" "$stamp" && return 0
    step "Installing the packages of $1"
    (cd "$1" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error >&2)
    cp "$1/package-lock.json" "$stamp"
}

# Installs into the venv in folder $1 what the requirements files after it say, unless that is what
# is installed.
ensure_venv() {
    local venv="$1" file wanted=()
    shift
    cat "$@" | cmp -s - "$venv/.installed" && return 0
    ensure_apt python3-venv
    step "Installing into $venv what $* says"
    for file in "$@"; do wanted+=(--requirement "$file"); done
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "${wanted[@]}" >&2
    cat "$@" >"$venv/.installed"
}

# Debian has Chromium as a package. Ubuntu's is a snap, which tests cannot steer; there Playwright
# brings its own.
ensure_chromium() {
    if [ "$(. /etc/os-release && echo "${ID:-}")" = debian ]; then
        ensure_apt chromium
        return 0
    fi
    local stamp=tests/browser/node_modules/.chromium
    if [ -x /usr/bin/google-chrome ] || cmp -s tests/browser/package-lock.json "$stamp"; then
        return 0
    fi
    step "Installing Chromium for the browser tests"
    (cd tests/browser && as_root env "PATH=$PATH" npx playwright install-deps chromium >&2 &&
        npx playwright install chromium >&2)
    cp tests/browser/package-lock.json "$stamp"
}

# Debian's Firefox, as people have it. Ubuntu's is a snap too, and the one that Playwright brings is
# changed; there the tests are left to Chromium.
ensure_firefox() {
    if [ "$(. /etc/os-release && echo "${ID:-}")" = debian ]; then
        ensure_apt firefox-esr
    elif [ -z "${FIREFOX:-}" ] && [ ! -x /usr/bin/firefox-esr ]; then
        echo "The browser tests run in Chromium alone. To have them run in Firefox too, set FIREFOX" >&2
        echo "to the path of one that is not a snap." >&2
    fi
}

# coturn for the tests alone: its service is started neither by this nor with the machine.
ensure_coturn() {
    local policy=/usr/sbin/policy-rc.d
    if command -v turnserver >/dev/null || ! command -v apt-get >/dev/null; then return 0; fi
    if [ -e "$policy" ]; then
        # The machine has a say in this itself.
        ensure_apt coturn
    else
        (
            trap 'as_root rm -f "$policy"' EXIT
            printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
            as_root chmod 755 "$policy"
            ensure_apt coturn
        )
    fi
    as_root update-rc.d coturn disable
}

# Whether this user may make network namespaces: root may, others in a user namespace, and in many
# a container nobody.
may_make_networks() {
    unshare --net true 2>/dev/null || unshare --net --user --map-root-user true 2>/dev/null
}
