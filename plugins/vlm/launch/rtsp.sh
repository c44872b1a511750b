#!/usr/bin/env bash
# An IP camera (RTSP), always asked about its newest picture.
#
#   rtsp.sh URI [PROMPT] [CODEC]
#   RTSP_USER=me RTSP_PASSWORD=... rtsp.sh rtsp://192.0.2.20/stream "Is anybody at the door?"
#
# CODEC is what the camera sends: h264, unless you name h265, vp8 or jpeg.
# A password in the address would end up in logs. As RTSP_PASSWORD it does not, but everybody who
# may list the processes of this host can read it.
#
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

uri="${1:?which camera? see --help}"
prompt="${2:-Is anybody at the door?}"
codec="${3:-h264}"
sign_in=()
if [[ -n "${RTSP_USER:-}" ]]; then
    sign_in=(user-id="$(quoted "$RTSP_USER")" user-pw="$(quoted "${RTSP_PASSWORD:-}")")
fi

launch rtspsrc location="$(quoted "$uri")" latency=100 protocols=tcp "${sign_in[@]}" \
    ! "rtp${codec}depay" ! decodebin3 ! videoconvert \
    ! queue leaky=downstream max-size-buffers=2 \
    ! vlmanalyze interval=5000000000 prompt="$(quoted "$prompt")" ! fakesink sync=false
