# What the pipelines beside it share; each sources it.

if [[ "${1:-}" == -h || "${1:-}" == --help ]]; then
    # The comment that the script begins with.
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    cat <<END
VLM_API_BASE, VLM_API_KEY and VLM_MODEL say which VLM is asked, at first Ollama on this host.
GST_PLUGIN_PATH says where the plugin is, GST_LAUNCH what is run in place of gst-launch-1.0.
END
    exit 0
fi

# The plugin as this project has built it; otherwise the one that is installed.
built="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)/target/release"
if [[ -z "${GST_PLUGIN_PATH:-}" && -e "$built/libgstvlm.so" ]]; then
    export GST_PLUGIN_PATH="$built"
fi

# A value for gst-launch-1.0, which would read spaces and quotes in its own way.
quoted() {
    local value="${1//\\/\\\\}"
    printf '"%s"' "${value//\"/\\\"}"
}

launch() { exec "${GST_LAUNCH:-gst-launch-1.0}" -m "$@"; }
