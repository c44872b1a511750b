#!/usr/bin/env bash
# The compiler as scripts/fuzz.sh calls it: our own crates tell the fuzzer which of their code ran,
# everything else is built as ever.
set -euo pipefail
rustc=$1
shift
for argument in "$@"; do
    case "$argument" in
        vlm_client | vlm_replies | live_vlm_media_link | live_vlm_media_processes | \
            live_vlm_pipelines | gst_vlm_structured | answer | candidate | json_in_text | \
            media_conduct | media_link | message | models | offer | pattern | picture_size | \
            refusal | thoughts)
            exec "$rustc" "$@" --cfg fuzzing -C opt-level=1 -C codegen-units=1 \
                -C passes=sancov-module \
                -C llvm-args=-sanitizer-coverage-level=4 \
                -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
                -C llvm-args=-sanitizer-coverage-pc-table \
                -C llvm-args=-sanitizer-coverage-trace-compares
            ;;
    esac
done
exec "$rustc" "$@"
