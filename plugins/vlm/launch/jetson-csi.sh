#!/usr/bin/env bash
# A Jetson's CSI camera on its screen, with the frames in the Jetson's own memory (NVMM).
#
#   jetson-csi.sh [SENSOR] [PROMPT]
#
# Needs a Jetson with its camera; SENSOR is 0 unless you say otherwise. Nobody has run this on a
# Jetson yet; the tests use stand-ins for NVIDIA's elements.
#
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

sensor="${1:-0}"
prompt="${2:-What do you see?}"

launch nvarguscamerasrc sensor-id="$sensor" \
    ! 'video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1' \
    ! vlmanalyze prompt="$(quoted "$prompt")" ! nv3dsink
