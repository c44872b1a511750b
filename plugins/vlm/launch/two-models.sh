#!/usr/bin/env bash
# One video, two models, and what each of them says about it.
#
#   two-models.sh VIDEO MODEL1 MODEL2 [PROMPT1] [PROMPT2]
#
# The messages say by their element, "first" or "second", whose answer it is, and name the model.
#
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

video="${1:?which video? see --help}"
model1="${2:?which models? see --help}"
model2="${3:?which second model? see --help}"
prompt1="${4:-What do you see?}"
prompt2="${5:-$prompt1}"

launch filesrc location="$(quoted "$video")" ! decodebin3 ! videoconvert ! tee name=video \
    video. ! queue ! vlmanalyze name=first model="$(quoted "$model1")" \
    prompt="$(quoted "$prompt1")" ! fakesink sync=true \
    video. ! queue ! vlmanalyze name=second model="$(quoted "$model2")" \
    prompt="$(quoted "$prompt2")" ! fakesink sync=true
