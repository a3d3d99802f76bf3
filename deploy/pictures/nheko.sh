#!/usr/bin/env bash
# Nheko under a virtual display as wide as a phone: an operator types a command in it, the bot of the tests
# answers, and target/pictures/nheko.png shows what Nheko makes of it.
#
#   nheko.sh                                         plays the conversation (a test that is not run otherwise)
#   nheko.sh --in URL USER TOKEN DEVICE ROOM PNG COMMAND   what that test calls: types COMMAND in ROOM, waits for
#                                                    a line to read, and takes the picture
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

if [ $# -eq 0 ]; then
    . deploy/needs.sh
    need_tools
    need_debian nheko nheko
    need_debian Xvfb xvfb
    need_debian xdotool xdotool
    need_debian dbus-run-session dbus
    cargo test --workspace --test it -- --ignored --nocapture rendered::what_is_typed_in_nheko
    echo "target/pictures/nheko.png"
    exit
fi
if [ -z "${OWN_SESSION:-}" ]; then
    # A bus of its own: nothing of whoever sits at this machine is asked or shown.
    exec env OWN_SESSION=yes dbus-run-session -- "$here/nheko.sh" "$@"
fi
shift
[ $# -eq 7 ]
url=$1 user=$2 token=$3 device=$4 room=$5 picture=$6 command=$7

home=$(mktemp -d --tmpdir synod-nheko-XXXXXX)
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; wait; rm -rf "$home"' EXIT
mkdir -p "$home"/{config/nheko,run,screen}
chmod 700 "$home/run"
export HOME=$home XDG_CONFIG_HOME=$home/config XDG_DATA_HOME=$home/data XDG_CACHE_HOME=$home/cache
export XDG_RUNTIME_DIR=$home/run QT_QUICK_BACKEND=software LIBGL_ALWAYS_SOFTWARE=1
cat >"$home/config/nheko/nheko.conf" <<CONFIG
[General]
run_without_secure_secrets_service=true

[auth]
access_token=$token
device_id=$device
home_server=$url
user_id=$user

[user]
desktop_notifications=false
theme=light

[window]
height=844
width=390
CONFIG

# until_true WHAT COMMAND...: tries it for half a minute.
until_true() {
    local what=$1
    shift
    for _ in $(seq 150); do
        ! "$@" 2>/dev/null || return 0
        sleep 0.2
    done
    echo "not within half a minute: $what" >&2
    tail -n 20 "$home/log" >&2
    exit 1
}
has_display() { [ -s "$home/display" ]; }
is_synced() { grep -q 'initial sync completed' "$home/log"; }
# The screen shows the same twice: nothing is being drawn, but for the cursor that blinks at its foot.
shown() { head -c 1240000 "$home/screen/Xvfb_screen0" | md5sum; }
stands_still() {
    local before
    before=$(shown)
    sleep 0.6
    [ "$before" = "$(shown)" ]
}

Xvfb -displayfd 1 -screen 0 390x844x24 -fbdir "$home/screen" -nolisten tcp >"$home/display" 2>/dev/null &
started+=($!)
until_true "a virtual display" has_display
export DISPLAY=:$(cat "$home/display")
nheko --log-type stderr >"$home/log" 2>&1 &
started+=($!)
until_true "the first sync" is_synced
until_true "a first picture" stands_still
# It offers to set up encryption, in a window whose last button says no.
xdotool mousemove 324 805 click 1
until_true "the list of rooms" stands_still
# An address opens its room; a second Nheko hands it to the first.
nheko --log-type none "matrix:roomid/${room#!}?action=join" >/dev/null 2>&1
until_true "the timeline" stands_still
xdotool mousemove 180 825 click 1
xdotool type --delay 20 "$command"
xdotool key Return
read -r _
xdotool mousemove 389 400
until_true "the answer" stands_still
python3 "$here/framebuffer.py" "$home/screen/Xvfb_screen0" "$picture"
