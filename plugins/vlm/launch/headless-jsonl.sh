#!/usr/bin/env bash
# A camera on a machine without a screen: each answer becomes a line of JSON in a file.
#
#   headless-jsonl.sh URI [OUT.jsonl] [PROMPT]
#   headless-jsonl.sh v4l2:///dev/video0 answers.jsonl & tail -f answers.jsonl | jq -r .text
#
# Lines are added to a file that is there already.
#
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

uri="${1:?which camera? see --help}"
out="${2:-answers.jsonl}"
prompt="${3:-Describe the scene.}"

launch -e uridecodebin3 uri="$(quoted "$uri")" ! videoconvert \
    ! queue leaky=downstream max-size-buffers=2 \
    ! vlmanalyze name=v text-format=json interval=5000000000 prompt="$(quoted "$prompt")" \
    ! fakesink sync=false \
    v.text ! filesink append=true buffer-mode=unbuffered async=false location="$(quoted "$out")"
