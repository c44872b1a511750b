#!/usr/bin/env bash
# Prints which crates the packages $@ are linked with, and the licences that they bring: whoever
# passes the programs on passes these on too. The page has no code of others in it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly SOURCES="${CARGO_HOME:-$HOME/.cargo}/registry/src"
crates="$(cargo tree --locked "${@/#/--package=}" --edges normal --prefix none \
    --format '{p}|{l}' | grep . | grep -v ' (/' | sed 's/ (proc-macro)//; s/ (\*)$//' | sort -u)"

declare -A place users
echo "Linked with these crates: $*"
echo
while IFS='|' read -r crate licence; do
    crate="${crate/ v/ }"
    echo "  $crate: $licence"
    files=()
    for file in "$SOURCES"/*/"${crate/ /-}"/{LICENSE,LICENCE,COPYING,COPYRIGHT,NOTICE,UNLICENSE}*; do
        if [ -f "$file" ]; then files+=("$file"); fi
    done
    if [ ${#files[@]} = 0 ]; then continue; fi
    while read -r sum file; do
        place[$sum]="$file"
        users[$sum]+="${users[$sum]:+, }$crate"
    done < <(sha256sum -- "${files[@]}")
done <<<"$crates"

for sum in "${!place[@]}"; do
    printf '%s\t%s\n' "${users[$sum]}" "${place[$sum]}"
done | sort | while IFS=$'\t' read -r names file; do
    printf '\n%s\n\n%s:\n\n' "$(printf -- '-%.0s' {1..80})" "$names" | fold --spaces --width=100
    cat "$file"
done
