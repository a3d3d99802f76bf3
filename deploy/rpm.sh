#!/usr/bin/env bash
# Builds the RPM, and says where it lies. Options as for deploy/debian/build.sh, but for --version.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/needs.sh

profile=release build=1
read_build_options "$@"
need_tools
need_crate cargo-generate-rpm 0.21.1

build_binary
deploy/pages.sh "$binary"
# Its assets name the release folder, for the tool knows no other.
strip --strip-all -o target/package/synod "$binary"
name=target/package/synod-$(crate_version)-1.$(uname -m).rpm
rm -f "$name"
# A trial is not packed: the tool is built without optimization, and would take minutes over it.
pack=zstd
[ "$profile" != dev ] || pack=none
cargo generate-rpm --output "$name" --payload-compress "$pack" \
    --source-date "${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
echo "$name"
