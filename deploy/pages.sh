#!/usr/bin/env bash
# Makes what packages hold besides the binary: manual pages, completions, the example of a
# configuration as the unit wants it. Into target/package.
#
#   deploy/pages.sh BINARY
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -ne 1 ] || [ ! -x "$1" ]; then
    echo "usage: $0 BINARY, a built synod" >&2
    exit 2
fi
out=target/package
rm -rf "$out/man1" "$out"/{synod.bash,synod.fish,_synod,config.example.yaml}
mkdir -p "$out/man1"
"$1" pages "$out"
mv "$out"/*.1 "$out/man1/"
# The unit hands over what lies in /etc/synod/secrets.
sed 's|{ file: /etc/synod/\([a-z-]*\) }|{ credential: secrets_\1 }|' config.example.yaml \
    >"$out/config.example.yaml"
if grep -q 'file: /etc/synod' "$out/config.example.yaml"; then
    echo "config.example.yaml names a secret in a way that $0 does not know" >&2
    exit 1
fi
