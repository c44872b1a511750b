#!/usr/bin/env bash
# Builds the GStreamer plugin or the server and installs it: scripts/install.sh --help
set -euo pipefail
from="$PWD"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh
source scripts/artefacts.sh

usage() {
    cat <<'TEXT'
Usage: scripts/install.sh [OPTION]... plugin|server|all

Builds what is asked for and installs it:
  plugin   libgstvlm.so, with the element vlmanalyze, where GStreamer looks for plugins
  server   the programs live-vlm and live-vlm-media, with documents, a systemd unit and an example
           configuration

  --prefix DIR      install below DIR: the server is in /usr/local and the plugin in GStreamer's
                    own folder without it
  --plugin-dir DIR  the folder for the plugin
  --destdir DIR     write below DIR what is to be in its place later, for packaging
  --binaries DIR    install what is in DIR already, instead of building
  --uninstall       remove what was installed with the same options
  --help
TEXT
}

fail() {
    echo "$*" >&2
    exit 1
}

misused() { fail "$* See scripts/install.sh --help."; }

# Where the caller means $1 to be.
absolute() { (cd "$from" && realpath -ms -- "$1"); }

what='' prefix='' plugin_dir='' destdir='' binaries='' uninstall=
while [ $# -gt 0 ]; do
    case "$1" in
        --help | -h) usage && exit 0 ;;
        --uninstall) uninstall=1 ;;
        --prefix | --plugin-dir | --destdir | --binaries)
            [ -n "${2:-}" ] || misused "$1 needs a folder."
            name="${1#--}"
            printf -v "${name//-/_}" %s "$(absolute "$2")"
            shift
            ;;
        plugin | server | all)
            [ -z "$what" ] || misused "Name one of plugin, server and all, not \"$what\" and \"$1\"."
            what="$1"
            ;;
        *) misused "\"$1\" is not known." ;;
    esac
    shift
done
[ -n "$what" ] || misused "Say what to install: plugin, server or all."
[ "$what" = server ] || plugin=1
[ "$what" = plugin ] || server=1

# GStreamer's own folder, or the same below $prefix.
plugins_folder() {
    pkg-config --variable=pluginsdir ${prefix:+"--define-variable=prefix=$prefix"} gstreamer-1.0 ||
        fail "pkg-config does not know GStreamer. Run ./run.sh once, or give --plugin-dir."
}

if [ -n "${plugin:-}" ]; then
    [ -n "$plugin_dir" ] || plugin_dir="$(plugins_folder)"
fi
prefix="${prefix:-/usr/local}"

# Calls $1 with mode, source and place of everything that is installed; programs are in $binaries.
each_file() {
    local file doc="$prefix/share/doc" debian=web/server/debian
    if [ -n "${plugin:-}" ]; then
        "$1" 644 "$binaries/libgstvlm.so" "$plugin_dir/libgstvlm.so"
        for file in plugins/vlm/INSTALL.md LICENSE-*; do
            "$1" 644 "$file" "$doc/gstreamer1.0-vlm/${file##*/}"
        done
    fi
    if [ -n "${server:-}" ]; then
        for file in "${SERVER[@]}"; do "$1" 755 "$binaries/$file" "$prefix/bin/$file"; done
        "$1" 644 $debian/live-vlm.service "$prefix/lib/systemd/system/live-vlm.service"
        "$1" 644 $debian/live-vlm.sysusers "$prefix/lib/sysusers.d/live-vlm.conf"
        "$1" 644 $debian/live-vlm.tmpfile "$prefix/lib/tmpfiles.d/live-vlm.conf"
        for file in docs/*.md docs/*.toml $debian/live-vlm.toml LICENSE-*; do
            "$1" 644 "$file" "$doc/live-vlm/${file##*/}"
        done
    fi
}

# Fails unless the place $3, or what there is of the way to it, can be written to.
need_access() {
    local folder="$destdir${3%/*}"
    while [ ! -e "$folder" ] && [ -n "$folder" ]; do folder="${folder%/*}"; done
    folder="${folder:-/}"
    [ -d "$folder" ] || fail "$folder is not a folder, so ${3##*/} cannot be put below it."
    [ -w "$folder" ] ||
        fail "You may not write to $folder. Run this with sudo, or give a --prefix of your own."
}

put() {
    install -D -m "$1" "$2" "$destdir$3"
    # The unit names the program where the Debian package has it.
    case "$3" in *.service) sed -i "s|/usr/bin/live-vlm|$prefix/bin/live-vlm|" "$destdir$3" ;; esac
    echo "$destdir$3"
}

remove() {
    [ -e "$destdir$3" ] || return 0
    rm -f "$destdir$3"
    echo "removed $destdir$3"
}

each_file need_access
if [ -n "$uninstall" ]; then
    each_file remove
    # Only these folders are ours alone.
    for folder in ${plugin:+gstreamer1.0-vlm} ${server:+live-vlm}; do
        folder="$destdir$prefix/share/doc/$folder"
        [ ! -d "$folder" ] || rmdir --ignore-fail-on-non-empty "$folder"
    done
    exit 0
fi

if [ -z "$binaries" ]; then
    build_release ${plugin:+gst-plugin-vlm} ${server:+"${SERVER[@]}"}
    binaries="$(target_folder)/release"
fi
need_binaries "$binaries" ${plugin:+libgstvlm.so} ${server:+"${SERVER[@]}"}
each_file put

# Folders that GStreamer looks into by itself: its own, and the user's.
own="$(prefix='' plugins_folder 2>/dev/null || true)"
users="${XDG_DATA_HOME:-$HOME/.local/share}/gstreamer-1.0/plugins"
case "$plugin_dir" in
    '' | "$own" | "$users") ;;
    *) [ -n "$destdir" ] ||
        printf '\nGStreamer finds the plugin with: export GST_PLUGIN_PATH=%q\n' "$plugin_dir" ;;
esac
