#!/usr/bin/env bash
# Builds the RPM, and says where it lies. Options as for deploy/debian/build.sh, but for --version.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/needs.sh

profile=release build=1
while [ $# -gt 0 ]; do
    case "$1" in
    --profile)
        profile=${2:?"--profile needs a name"}
        shift
        ;;
    --no-build) build= ;;
    *)
        echo "$1 is not known; see the head of $0" >&2
        exit 2
        ;;
    esac
    shift
done
need_tools
need_crate cargo-generate-rpm 0.21.1

folder=$profile
[ "$profile" != dev ] || folder=debug
binary=${CARGO_TARGET_DIR:-target}/$folder/synod
if [ -n "$build" ]; then
    if [ "$profile" = dev ]; then cargo build --workspace --bin synod; else
        cargo build --profile "$profile" --locked --bin synod
    fi
fi
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
