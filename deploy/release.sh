#!/usr/bin/env bash
# Makes everything of a release, in target/release-TAG: the binary, the Debian package, an RPM, what is
# in them (SBOM) and under which licences (a page with their texts), the changes, and checksums of all.
#
#   deploy/release.sh v0.1.0                  of the commit that is checked out
#   deploy/release.sh v0.1.0 --twice          builds the binary once more elsewhere, and compares
#   deploy/release.sh v0.1.0 --profile dev    tries the script, with the debug binary; with --no-build
#                                             that which is there
#
# The binary takes glibc 2.36 or newer: Debian 12, Ubuntu 24.04, Fedora 37. Elsewhere build it there.
#
# The same commit makes the same files: their times are those of the commit, and no path of this
# machine is in the binary.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/needs.sh

tag= profile=release twice= no_build=
while [ $# -gt 0 ]; do
    case "$1" in
    --profile)
        profile=${2:?"--profile needs a name"}
        shift
        ;;
    --twice) twice=1 ;;
    --no-build) no_build=1 ;;
    v[0-9]*) tag=$1 ;;
    *)
        echo "$1 is not known; see the head of $0" >&2
        exit 2
        ;;
    esac
    shift
done
version=$(crate_version)
if [ -n "$twice$no_build" ] && [ "$twice$profile" = 1dev -o "$no_build$profile" = 1release ]; then
    echo "--twice is for the release, and --no-build for a trial with --profile dev" >&2
    exit 2
fi
if [ -z "$tag" ]; then
    echo "usage: $0 TAG, such as v$version" >&2
    exit 2
fi
if [ "${tag#v}" != "$version" ]; then
    echo "$tag is not the version in Cargo.toml, $version: change one of them" >&2
    exit 1
fi
if [ "$profile" = release ] && [ -n "$(git status --porcelain --untracked-files=no)" ]; then
    echo "the working tree has changes: commit them, so that the release is of a commit" >&2
    exit 1
fi

need_tools
need_crate cargo-deb 3.8.0
need_crate cargo-cyclonedx 0.5.9
need_crate cargo-generate-rpm 0.21.1
optimized=1 need_tool cargo-about 0.9.3 "cargo about" --features cli

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
folder=$profile
[ "$profile" != dev ] || folder=debug

# What makes it smaller at the linker: functions that are the same are there once, and
# places that are filled in at the start are packed, which glibc knows from 2.36 on (Debian 12).
smaller=(-Clink-arg=-Wl,--icf=all -Clink-arg=-Wl,-z,pack-relative-relocs)

# SQLite without what no store of the SDK uses: full-text search, search by area, statistics.
sqlite=
for part in FTS3 FTS3_PARENTHESIS FTS5 RTREE DBSTAT_VTAB STAT4; do
    sqlite+=" -USQLITE_ENABLE_$part"
done
# Nothing unwinds through the parts that are written in C: a panic of what they call back ends the program.
no_tables='-fno-asynchronous-unwind-tables -fno-unwind-tables'

# build SOURCES TARGET: builds the binary. Paths of the sources, of crates and of the standard library
# are in messages of panics and in what debuggers read.
build() {
    local home=${CARGO_HOME:-$HOME/.cargo} maps path
    maps=("$1=/synod" "$2=/target" "$home/registry/src=/crates" "$(rustc --print sysroot)=/rust")
    (
        cd "$1"
        export CARGO_TARGET_DIR=$2 RUSTFLAGS="${smaller[*]}" CFLAGS=$no_tables
        export LIBSQLITE3_FLAGS=$sqlite
        for path in "${maps[@]}"; do
            RUSTFLAGS+=" --remap-path-prefix=$path"
            CFLAGS+=" -ffile-prefix-map=$path"
        done
        cargo build --profile "$profile" --locked --package synod --bin synod --quiet
    )
}

out=$target/release-$tag
rm -rf "$out"
mkdir -p "$out"
name=synod-$tag-$(uname -m)-linux

echo "building"
if [ "$profile" = dev ]; then
    # Tries the script: with flags of its own everything would be compiled anew.
    [ -n "$no_build" ] || cargo build --workspace --bin synod --example demo --quiet
else
    build "$(pwd)" "$target"
fi
if [ -n "$twice" ]; then
    echo "building once more, of other folders"
    elsewhere=$(mktemp -d --tmpdir synod-twice-XXXXXX)
    trap 'git worktree remove --force "$elsewhere/sources"; rm -rf "$elsewhere"' EXIT
    git worktree add --quiet --detach "$elsewhere/sources" HEAD
    build "$elsewhere/sources" "$elsewhere/target"
    cmp "$target/$folder/synod" "$elsewhere/target/$folder/synod"
    echo "both are the same"
fi
strip --strip-all -o "$out/$name" "$target/$folder/synod"
touch --date="@$SOURCE_DATE_EPOCH" "$out/$name"
most=35000000
if [ "$profile" != dev ] && [ "$(stat -c %s "$out/$name")" -ge "$most" ]; then
    echo "the binary is larger than $most bytes" >&2
    exit 1
fi
if [ "$profile" != dev ] && grep -aq -e "$HOME/" -e "$(pwd)/" "$out/$name"; then
    echo "a path of this machine is in the binary" >&2
    exit 1
fi

echo "packing"
package=$(deploy/debian/build.sh --profile "$profile" --no-build | tail -n 1)
cp -p "$package" "$out/"
package=$(deploy/rpm.sh --profile "$profile" --no-build | tail -n 1)
cp -p "$package" "$out/"

echo "writing down what is in it"
cargo cyclonedx --format json --manifest-path Cargo.toml --override-filename synod-sbom --quiet \
    --target x86_64-unknown-linux-gnu
# Where it was built is no part of what it is.
sed "s|file://$(pwd)|file:///synod|g" synod-sbom.json >"$out/synod-$tag.cdx.json"
rm -f synod-sbom.json tests/world/synod-sbom.json
# Which licences there may be, deny.toml says; one of another kind ends this.
python3 - >"$out/about.toml" <<'ABOUT'
import json, tomllib
with open("deny.toml", "rb") as file:
    deny = tomllib.load(file)
print("accepted =", json.dumps(deny["licenses"]["allow"]))
print("targets =", json.dumps(deny["graph"]["targets"]))
print("ignore-dev-dependencies = true")
print("ignore-build-dependencies = true")
ABOUT
# Their texts are in the crates, also of those that this machine does not compile.
cargo fetch --locked --quiet
cargo about generate --offline --locked --fail --config "$out/about.toml" \
    --output-file "$out/LICENCES.html" deploy/licences.hbs
rm "$out/about.toml"
# The font of the pictures is no crate.
python3 - "$out/LICENCES.html" src/chart/font.txt <<'FONT'
import html, sys
page, licence = (open(path, encoding="utf-8").read() for path in sys.argv[1:])
section = f"<section>\n<h2>DejaVu Sans</h2>\n<pre>{html.escape(licence)}</pre>\n</section>\n"
assert "</body>" in page
open(sys.argv[1], "w", encoding="utf-8").write(page.replace("</body>", section + "</body>"))
FONT
deploy/changes.sh "$version" >"$out/CHANGES.md"

(cd "$out" && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%f\n' | LC_ALL=C sort | xargs sha256sum >SHA256SUMS)
cat "$out/SHA256SUMS"
echo "$out"
