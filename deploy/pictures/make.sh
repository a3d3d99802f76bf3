#!/usr/bin/env bash
# Pictures of what the bot says, as a client shows it on a phone and on a desktop, in light and dark: into
# target/pictures. A conversation of the tests has the bot say it, measures it, and leaves the page there.
#
#   make.sh             plays the conversation, prints what was measured, and takes every picture
#   make.sh --docs      and puts the three that docs/clients.md shows into docs/pictures
#   make.sh --again     takes the pictures of the conversation that was played last
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/needs.sh

play=yes docs=
for option; do
    case "$option" in
    --docs) docs=yes ;;
    --again) play= ;;
    *)
        echo "$option is not known; see the head of $0" >&2
        exit 2
        ;;
    esac
done
need_debian chromium chromium
[ -z "$docs" ] || need_debian pngquant pngquant
made=$(mkdir -p "${CARGO_TARGET_DIR:-target}/pictures" && cd "${CARGO_TARGET_DIR:-target}/pictures" && pwd)
missed=0
if [ -n "$play" ]; then
    need_tools
    # What misses its target has its picture taken all the same.
    cargo test --workspace --test it -- --nocapture rendered::replies_read_well_on_a_phone || missed=$?
fi
profile=$(mktemp -d --tmpdir synod-pictures-XXXXXX)
trap 'rm -rf "$profile"' EXIT

# take NAME WIDTH THEME HEIGHT FILE
take() {
    chromium --headless=new --no-sandbox --disable-gpu --no-first-run --hide-scrollbars \
        --disable-background-networking --disable-component-update --user-data-dir="$profile" \
        --window-size="$2,$4" --screenshot="$5" "file://$made/replies.html#$1/$2/$3" >/dev/null 2>&1
}
python3 - "$made/replies.json" >"$profile/wanted" <<'WANTED'
import json, sys
for one in json.load(open(sys.argv[1])):
    print(one["name"], one["width"], one["theme"], one["picture"], sep="\t")
WANTED
while IFS=$'\t' read -r name width theme height; do
    picture="$made/${name// /-}-$width-$theme.png"
    take "${name// /%20}" "$width" "$theme" "$height" "$picture" </dev/null
    [ -s "$picture" ]
done <"$profile/wanted"
echo "$(wc -l <"$profile/wanted") pictures in $made"
# What the book shows is at most one screen, in as few colours as do.
if [ -n "$docs" ]; then
    mkdir -p docs/pictures
    for shown in help/dark question/light accounts/dark; do
        name=${shown%/*} theme=${shown#*/}
        height=$(awk -F '\t' -v name="$name" '$1 == name && $2 == 390 { print ($4 < 844 ? $4 : 844); exit }' "$profile/wanted")
        take "$name" 390 "$theme" "$height" "$profile/$name.png"
        pngquant --force --strip --speed 1 --output "docs/pictures/$name.png" 24 "$profile/$name.png"
    done
    wc -c docs/pictures/*
fi
exit "$missed"
