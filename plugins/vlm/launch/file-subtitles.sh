#!/usr/bin/env bash
# A video file with the VLM's answers as a subtitle track, in Matroska.
#
#   file-subtitles.sh VIDEO [OUT.mkv] [PROMPT]
#
# OUT.mkv is VIDEO-subtitles.mkv unless given. The picture is encoded again, as VP8, and the sound is left out.
#
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

video="${1:?which video? see --help}"
out="${2:-${video%.*}-subtitles.mkv}"
prompt="${3:-Say in one sentence what happens here.}"

launch -e filesrc location="$(quoted "$video")" ! decodebin3 ! videoconvert \
    ! vlmanalyze name=v busy=wait interval=2000000000 prompt="$(quoted "$prompt")" \
    ! videoconvert ! vp8enc deadline=1 cpu-used=8 target-bitrate=2000000 ! queue ! mux.video_0 \
    v.text ! queue ! mux.subtitle_0 \
    matroskamux name=mux ! filesink location="$(quoted "$out")"
