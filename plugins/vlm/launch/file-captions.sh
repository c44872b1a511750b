#!/usr/bin/env bash
# A video file's captions: every two seconds of it are asked about, as WebVTT.
#
#   file-captions.sh VIDEO [OUT.vtt] [PROMPT]
#
# OUT.vtt is VIDEO-captions.vtt unless given.
# The file goes as fast as the VLM answers, and no sample is skipped.
#
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

video="${1:?which video? see --help}"
out="${2:-${video%.*}-captions.vtt}"
prompt="${3:-Say in one sentence what happens here.}"

launch -e filesrc location="$(quoted "$video")" ! decodebin3 ! videoconvert \
    ! vlmanalyze name=v busy=wait interval=2000000000 prompt="$(quoted "$prompt")" \
    ! fakesink \
    v.text ! webvttenc ! filesink async=false location="$(quoted "$out")"
