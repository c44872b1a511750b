#!/usr/bin/env bash
# Attacks media processes for longer than their tests do: with video that no encoder makes, for so
# many seconds (600), and with so many crashes (100). Says what became of them.
set -euo pipefail
cd "$(dirname "$0")/.."

run() { cargo test --locked -p live-vlm-media --test media -- --nocapture --exact "$1"; }

HOSTILE_SECONDS=${1:-600} run hostile::what_no_encoder_makes_disturbs_nobody_else
CRASHES=${2:-100} run leftovers::crashes_one_after_the_other_leave_nothing_behind_and_disturb_nobody
