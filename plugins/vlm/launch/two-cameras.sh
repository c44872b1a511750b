#!/usr/bin/env bash
# Two cameras, each with a prompt of its own, that take turns at one VLM.
#
#   two-cameras.sh URI1 URI2 [PROMPT1] [PROMPT2]
#   two-cameras.sh v4l2:///dev/video0 rtsp://192.0.2.20/stream
#
# The messages say by their element, "first" or "second", whose answer it is.
#
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

first="${1:?which cameras? see --help}"
second="${2:?which second camera? see --help}"
prompt1="${3:-Is anybody at the door?}"
prompt2="${4:-How many cars are there?}"

launch uridecodebin3 uri="$(quoted "$first")" ! videoconvert \
    ! vlmanalyze name=first prompt="$(quoted "$prompt1")" ! fakesink \
    uridecodebin3 uri="$(quoted "$second")" ! videoconvert \
    ! vlmanalyze name=second prompt="$(quoted "$prompt2")" ! fakesink
