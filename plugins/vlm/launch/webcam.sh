#!/usr/bin/env bash
# A webcam in a window, with what the VLM says written over the picture.
#
#   webcam.sh [DEVICE] [PROMPT]
#
# Needs a V4L2 camera, /dev/video0 unless you name another, and a screen.
#
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

device="${1:-/dev/video0}"
prompt="${2:-What is on the desk?}"

launch v4l2src device="$(quoted "$device")" ! decodebin3 ! videoconvert \
    ! vlmanalyze overlay=auto prompt="$(quoted "$prompt")" \
    ! videoconvert ! autovideosink
