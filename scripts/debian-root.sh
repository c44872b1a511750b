# Debians of their own in folders of this machine, to chroot into. Sourced after setup.sh by the
# scripts that use one.

# Their folder.
DEBIAN_ROOTS="${DEBIAN_ROOTS:-/var/cache/live-vlm-test}"

need_root() {
    [ "$(id -u)" != 0 ] || return 0
    echo "This needs root, to mount and to chroot. Run it as root." >&2
    return 1
}

# Waits until no other run uses the root in folder $1, and keeps others out until the process ends.
lock_debian() {
    mkdir -p -m 700 "$DEBIAN_ROOTS"
    exec 9>"$1.lock"
    if ! flock --nonblock 9; then
        echo "Waiting for the run that is under way in $1" >&2
        flock 9
    fi
}

# Makes a Debian of suite $2 with the packages that follow in folder $1, whole or not at all. Its
# packages come from $DEBIAN_MIRROR, or else from this machine's own mirror.
make_debian() {
    local root="$1" suite="$2" mirror="${DEBIAN_MIRROR:-}" security=''
    shift 2
    ensure_apt debootstrap debian-archive-keyring
    if [ -z "$mirror" ] && (. /etc/os-release && [ "$ID" = debian ]); then
        mirror="$(source_of '')" security="$(source_of -security)"
    fi
    if [ -z "$mirror" ]; then
        echo "No mirror of Debian is known here. Name one: DEBIAN_MIRROR=http://..." >&2
        return 1
    fi
    step "Making a Debian $suite in $root"
    rm -rf "$root.new"
    debootstrap --variant=minbase --include="$(IFS=, && echo "$*")" \
        "$suite" "$root.new" "$mirror" >&2
    rm -f "$root.new"/var/cache/apt/archives/*.deb
    {
        printf 'deb %s %s main\n' "$mirror" "$suite"
        # sid has all that is new in itself.
        if [ "$suite" != sid ]; then
            printf 'deb %s %s main\n' "$mirror" "$suite-updates"
            [ -z "$security" ] || echo "deb $security $suite-security main"
        fi
    } >"$root.new/etc/apt/sources.list"
    apt-config dump | grep -E '^Acquire::(https?|Check-|Retries|ForceIPv)' \
        >"$root.new/etc/apt/apt.conf.d/90machine" || true
    # Packages with a service must not start it.
    printf '#!/bin/sh\nexit 101\n' >"$root.new/usr/sbin/policy-rc.d"
    chmod +x "$root.new/usr/sbin/policy-rc.d"
    mv "$root.new" "$root"
}

# The address of the first apt source for suites whose name ends in $1.
source_of() {
    apt-cache policy | awk -v suite="$(. /etc/os-release && echo "$VERSION_CODENAME")$1/main" \
        '$1 ~ /^[0-9]+$/ && $3 == suite { print $2; exit }'
}
