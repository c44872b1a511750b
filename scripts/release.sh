#!/usr/bin/env bash
# Makes the commit and the tag of a release: scripts/release.sh --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh

usage() {
    cat <<'TEXT'
Usage: scripts/release.sh VERSION

Makes release VERSION (as 0.2.0) of what is committed here:
  - writes the version into Cargo.toml, package.json and the lock files
  - gives what is under Unreleased in CHANGELOG.md this version and today's date
  - commits that, and tags the commit vVERSION with that part of the changelog

Nothing is pushed. To take it back: git tag -d vVERSION && git reset --hard HEAD~
CONTRIBUTING.md says what to do before and afterwards.
TEXT
}

fail() {
    echo "$1 See scripts/release.sh --help." >&2
    exit 1
}

[ $# = 1 ] || { usage >&2 && exit 1; }
case "$1" in --help | -h) usage && exit 0 ;; esac
readonly VERSION="$1"
[[ "$VERSION" =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "\"$VERSION\" is not a version such as 0.2.0."
before="$(sed -n '/^\[workspace.package\]$/,/^$/s/^version = "\(.*\)"$/\1/p' Cargo.toml)"
[ "$VERSION" != "$before" ] && at_least "$VERSION" "$before" ||
    fail "$VERSION is not newer than $before, the version in Cargo.toml."
[ -z "$(git status --porcelain)" ] || fail "Some changes are not committed."
! git rev-parse --quiet --verify "refs/tags/v$VERSION" >/dev/null || fail "There is a tag v$VERSION."

# The part of the changelog below the heading that begins with $1, without the space around it.
changes_of() {
    awk -v heading="## [$1]" '
        index($0, "## [") == 1 { inside = index($0, heading) == 1; next }
        inside { print }' CHANGELOG.md | sed -e '/./,$!d'
}
[ -n "$(changes_of Unreleased)" ] || fail "CHANGELOG.md has nothing under Unreleased."

ensure_rust
ensure_node
sed -i "/^\[workspace.package\]$/,/^$/s/^version = .*/version = \"$VERSION\"/" Cargo.toml
sed -i "/^\[package\]$/,/^$/s/^version = .*/version = \"$VERSION\"/" fuzz/Cargo.toml
# Only our own packages change in the lock files.
cargo update --workspace --quiet
cargo update --workspace --quiet --manifest-path fuzz/Cargo.toml
for folder in web/page tests/browser; do
    (cd "$folder" && npm version "$VERSION" --no-git-tag-version --silent >/dev/null)
done
sed -i "s/^## \[Unreleased\]$/## [Unreleased]\n\n## [$VERSION] - $(date --utc +%F)/" CHANGELOG.md

git commit --quiet --all --message "Release $VERSION"
# Lines that begin with # are headings here, and no comments.
git tag --annotate "v$VERSION" --cleanup=whitespace --message "live-vlm $VERSION

$(changes_of "$VERSION")"
git show --stat --oneline HEAD
