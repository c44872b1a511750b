#!/usr/bin/env bash
# Two cameras beside a DeepStream detector, whose boxes nvdsosd draws.
#
#   deepstream.sh URI1 URI2 DETECTOR.txt [PROMPT1] [PROMPT2]
#
# Needs DeepStream with its GPU, and nvinfer's configuration of a detector. Nobody has run this with
# DeepStream yet; the tests use stand-ins for NVIDIA's elements.
# A buffer after nvstreammux holds a picture of each camera, so vlmanalyze stands before it.
#
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

first="${1:?which cameras? see --help}"
second="${2:?which second camera? see --help}"
detector="${3:?which detector? see --help}"
prompt1="${4:-Is anybody at the door?}"
prompt2="${5:-How many cars are there?}"
nvmm='video/x-raw(memory:NVMM),format=NV12'

launch nvstreammux name=mux batch-size=2 width=1280 height=720 live-source=1 \
    ! nvinfer config-file-path="$(quoted "$detector")" \
    ! nvmultistreamtiler rows=1 columns=2 width=1280 height=360 \
    ! nvvideoconvert ! nvdsosd ! nveglglessink sync=false \
    uridecodebin uri="$(quoted "$first")" ! nvvideoconvert ! "$nvmm" \
    ! vlmanalyze name=first interval=5000000000 prompt="$(quoted "$prompt1")" ! queue ! mux.sink_0 \
    uridecodebin uri="$(quoted "$second")" ! nvvideoconvert ! "$nvmm" \
    ! vlmanalyze name=second interval=5000000000 prompt="$(quoted "$prompt2")" ! queue ! mux.sink_1
