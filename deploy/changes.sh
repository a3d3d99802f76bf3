#!/usr/bin/env bash
# Prints what CHANGELOG.md says of a version, or of what is unreleased where it does not name it yet.
#
#   deploy/changes.sh 0.1.0
set -euo pipefail
cd "$(dirname "$0")/.."

section() {
    awk -v "wanted=$1" '
        /^## / { inside = ($2 == wanted || $2 == "[" wanted "]"); next }
        inside { print }
    ' CHANGELOG.md
}

text=$(section "${1:?usage: $0 VERSION}")
[ -n "$text" ] || text=$(section Unreleased)
if [ -z "$text" ]; then
    echo "CHANGELOG.md has neither $1 nor anything unreleased" >&2
    exit 1
fi
printf '%s\n' "$text" | sed -e '/./,$!d'
