#!/usr/bin/env bash
# Boots a Debian 12 with systemd, installs the package in it, and does with it what its users do: the
# bot talks with a real Synapse on the loopback of this machine, whose network the Debian shares.
#
#   deploy/debian/test.sh                builds the package of the debug binary, and tests it
#   deploy/debian/test.sh --profile release
#   deploy/debian/test.sh --no-build     of the binary that is there
#
# Takes root, and two to three minutes beyond the build, the first time two more.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/needs.sh

profile=dev build=1
read_build_options "$@"
if [ "$(id -u)" -ne 0 ]; then
    echo "missing: root, who alone can boot a system in a folder" >&2
    exit 1
fi
need_debian mmdebstrap mmdebstrap
need_debian systemd-nspawn systemd-container
python=$(need_synapse)

old=$(crate_version)-1 new=$(crate_version)-2
build_binary
[ -z "$build" ] || cargo build --workspace --example newcomer --quiet
first=$(deploy/debian/build.sh --version "$old" --profile "$profile" --no-build | tail -n 1)
second=$(deploy/debian/build.sh --version "$new" --profile "$profile" --no-build | tail -n 1)

# What it takes to boot, made once.
base=target/package/bookworm.tar
if [ ! -e "$base" ]; then
    mmdebstrap --variant=minbase --mode=root --format=tar --quiet \
        --include=systemd,systemd-sysv,dbus,procps,ca-certificates,init-system-helpers \
        bookworm "$base.part"
    mv "$base.part" "$base"
fi

folder=$(mktemp -d --tmpdir synod-debian-XXXXXX)
root=$folder/root nspawn= leader=
began=$SECONDS passed=0

finish() {
    local code=$?
    set +e
    if [ "$code" -ne 0 ] && [ -n "$leader" ]; then
        echo "--- the end of the journal" >&2
        inside journalctl -u synod --no-pager -n 40 >&2
        inside systemctl status synod --no-pager -n 0 >&2
    fi
    if [ -n "$nspawn" ]; then
        [ -z "$leader" ] || inside systemctl poweroff >/dev/null 2>&1
        for _ in $(seq 100); do
            kill -0 "$nspawn" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$nspawn" 2>/dev/null
        wait "$nspawn" 2>/dev/null
    fi
    [ ! -e "$folder/homeserver/kept.json" ] || homeserver stop
    rm -rf --one-file-system "$folder"
    exit "$code"
}
trap finish EXIT

homeserver() { "$python" deploy/trial/homeserver.py "$folder/homeserver" "$@"; }

# Runs a command in the booted system.
inside() {
    nsenter --target "$leader" --mount --uts --ipc --pid --cgroup --root -- \
        env -i -C / PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

property() { inside systemctl show --property="$1" --value synod; }

# is WHAT WANTED FOUND: both are the same.
is() {
    if [ "$2" != "$3" ]; then
        echo "not ok: $1: wanted '$2', found '$3'" >&2
        exit 1
    fi
    passed=$((passed + 1))
    echo "ok: $1"
}

# has WHAT WANTED TEXT: the text contains it.
has() {
    case "$3" in
    *"$2"*)
        passed=$((passed + 1))
        echo "ok: $1"
        ;;
    *)
        echo "not ok: $1: '$2' is not in: $3" >&2
        exit 1
        ;;
    esac
}

# succeeds WHAT COMMAND...
succeeds() {
    local what=$1
    shift
    if ! "$@"; then
        echo "not ok: $what: $*" >&2
        exit 1
    fi
    passed=$((passed + 1))
    echo "ok: $what"
}

# becomes WHAT WANTED COMMAND...: what the command prints is that within a minute.
becomes() {
    local what=$1 wanted=$2 found=
    shift 2
    for _ in $(seq 240); do
        found=$("$@" 2>/dev/null) || true
        [ "$found" != "$wanted" ] || break
        sleep 0.25
    done
    is "$what" "$wanted" "$found"
}

# answers WHAT: the bot in the booted system does what it is for.
answers() {
    homeserver joined
    has "$1" "Server admin: yes" "$(homeserver ask '!user details @keeper:packages.test')"
}

boot() {
    mkdir "$root"
    tar -xf "$base" -C "$root"
    cp "$first" "$second" "$root/srv/"
    # Its own init, and the network of this machine.
    systemd-nspawn --register=no --keep-unit --console=pipe --resolv-conf=off --quiet -b -D "$root" \
        </dev/null >"$folder/console.log" 2>&1 &
    nspawn=$!
    for _ in $(seq 100); do
        leader=$(pgrep -P "$nspawn" || true)
        [ -z "$leader" ] || ! inside test -S /run/systemd/private || break
        sleep 0.1
    done
    local state
    state=$(inside systemctl is-system-running --wait 2>&1 || true)
    case "$state" in
    running | degraded) echo "booted: $state" ;;
    *)
        echo "the system did not boot: $state" >&2
        cat "$folder/console.log" >&2
        exit 1
        ;;
    esac
}

installs() {
    local said
    said=$(inside dpkg -i "/srv/$(basename "$first")" 2>&1) || { echo "$said"; exit 1; }
    has "an installation says what to do next" "synodctl check" "$said"
    is "it is started at the next boot" enabled "$(inside systemctl is-enabled synod)"
    is "it is not started by the installation" inactive "$(inside systemctl is-active synod || true)"
    is "the folder of secrets is closed" "700 root" "$(inside stat -c '%a %U' /etc/synod/secrets)"
    inside systemctl start synod
    is "without a configuration it is not started" inactive "$(inside systemctl is-active synod || true)"
    said=$(inside synodctl check 2>&1 || true)
    has "synodctl says that there is no configuration" "config.example.yaml" "$said"
    said=$(inside synod check --config /etc/synod/config.example.yaml 2>&1 || true)
    has "the example takes its secrets from systemd" "credentials" "$said"
}

# From an empty machine to the first !help, as the documentation says: the operator types it in an encrypted
# client of their own.
newcomes() {
    local url login password operator said newcomer from=$SECONDS
    rm -rf "$folder/newcomer"
    mkdir "$folder/newcomer"
    "${CARGO_TARGET_DIR:-target}/debug/examples/newcomer" "$folder/newcomer" >"$folder/help.txt" 2>&1 &
    newcomer=$!
    becomes "a homeserver is there" yes sh -c "test -e '$folder/newcomer/site' && echo yes"
    . "$folder/newcomer/site"
    from=$SECONDS
    inside apt-get install -qq -y --no-install-recommends "/srv/$(basename "$first")" \
        >"$folder/install.log" 2>&1
    said=$(inside synodctl setup --homeserver "$url" --login "$login" --password-file - \
        --admin "$operator" <<<"$password" 2>&1) || { echo "$said"; exit 1; }
    has "a setup says what to do next" "systemctl start synod" "$said"
    is "no secret is in what it says" absent "$(grep -q "$password" <<<"$said" || echo absent)"
    is "the configuration is there" "644 root" "$(inside stat -c '%a %U' /etc/synod/synod.yaml)"
    is "the secrets are root's" "600 root" "$(inside stat -c '%a %U' /etc/synod/secrets/password)"
    is "no other copy is left" absent \
        "$([ -e "$root/var/lib/private/synod/setup" ] || echo absent)"
    has "check is content" "the bot has joined" "$(inside synodctl check 2>&1 || true)"
    succeeds "the service starts with it" inside systemctl start synod
    touch "$folder/newcomer/started"
    becomes "the first !help is answered" yes sh -c "test -e '$folder/newcomer/help' && echo yes"
    has "and says what can be typed" "!user" "$(cat "$folder/newcomer/help")"
    echo "from the package to the first !help: $((SECONDS - from)) s"
    succeeds "in under five minutes" test $((SECONDS - from)) -lt 300

    # What is lost is made anew, and nothing else.
    local before after
    inside systemctl stop synod
    rm "$root/etc/synod/secrets/admin-token"
    before=$(cat "$root/etc/synod/synod.yaml" "$root/etc/synod/secrets/password" | sha256sum)
    said=$(inside synodctl setup --login "$login" --password-file - <<<"$password" 2>&1) ||
        { echo "$said"; exit 1; }
    after=$(cat "$root/etc/synod/synod.yaml" "$root/etc/synod/secrets/password" | sha256sum)
    is "another setup leaves what is there" "$before" "$after"
    has "a token is there again" "works" "$(inside synodctl check 2>&1 | grep 'admin token' || true)"
    touch "$folder/newcomer/done"
    wait "$newcomer" || { cat "$folder/help.txt"; exit 1; }
    inside dpkg -P synod >"$folder/forget.log" 2>&1
    inside sh -c 'rm -rf /var/lib/private/synod /var/lib/synod'
}

configures() {
    local said
    cp "$folder/homeserver/bot/synod.yaml" "$root/etc/synod/synod.yaml"
    chmod 0644 "$root/etc/synod/synod.yaml"
    said=$(inside synodctl check 2>&1 || true)
    has "a missing secret is named" "no credential with this name was given" "$said"
    install -m 0600 "$folder/homeserver/bot/"{admin-token,password} "$root/etc/synod/secrets/"
    said=$(inside synodctl check 2>&1 || true)
    has "check finds the token with what the service has" "@keeper:packages.test" "$said"
}

runs() {
    succeeds "a start is over when the bot is up" inside systemctl start synod
    is "it runs" active "$(inside systemctl is-active synod)"
    is "its status says so" "Connected to the homeserver" "$(property StatusText)"
    answers "it answers"
    local pid uid
    pid=$(property MainPID)
    # systemd takes these for accounts that exist only while somebody runs.
    uid=$(inside ps -o uid= -p "$pid" | tr -d ' ')
    succeeds "it has an account of its own" test "$uid" -ge 61184 -a "$uid" -le 65519
    has "no core is dumped" "0                    0" \
        "$(inside grep 'Max core file size' "/proc/$pid/limits")"
    is "its state is closed" 700 "$(inside stat -c %a /var/lib/private/synod)"
    is "nobody else can read its secrets" 0 \
        "$(inside find /run/credentials/synod.service -type f -perm /007 | wc -l)"
    succeeds "it is exposed to little" \
        inside systemd-analyze security --threshold=15 --no-pager synod >"$folder/security.log"
    devices=$(homeserver devices)
}

hears_shells() {
    local said operator code=0
    operator=$(sed -n 's/.*user_id: "\(.*\)", role: admin.*/\1/p' "$root/etc/synod/synod.yaml")
    cp "$root/etc/synod/synod.yaml" "$folder/without-shell.yaml"
    printf 'shell:\n  group: adm\n  operators:\n    root: "%s"\n' "$operator" \
        >>"$root/etc/synod/synod.yaml"
    mkdir -p "$root/etc/systemd/system/synod.service.d"
    printf '[Service]\nGroup=adm\n' \
        >"$root/etc/systemd/system/synod.service.d/shell.conf"
    inside systemctl daemon-reload
    inside systemctl restart synod
    inside useradd --groups adm ben
    inside useradd eve
    becomes "the socket is for the group" "660 adm" inside stat -c '%a %G' /run/synod/exec.sock
    said=$(inside synod exec -- user details @keeper:packages.test 2>&1)
    has "root is served at the shell" "Server admin: yes" "$said"
    said=$(inside synodctl exec -- user details @keeper:packages.test 2>&1)
    has "and by synodctl" "Server admin: yes" "$said"
    said=$(inside runuser -u ben -- synod exec -- user list 2>&1) || code=$?
    has "a member of the group that is no operator is refused" "is not an operator" "$said"
    is "and learns it by the exit code" 4 "$code"
    said=$(inside runuser -u eve -- synod exec -- user list 2>&1 || true)
    has "who is not in the group does not reach it" "you may not use /run/synod/exec.sock" "$said"

    inside systemctl stop synod
    said=$(inside synodctl exec -- user details @keeper:packages.test 2>&1)
    has "without the bot its state is used" "Server admin: yes" "$said"
    said=$(inside synod exec --config /etc/synod/synod.yaml -- user list 2>&1 || true)
    has "which root leaves to its owner" "credential" "$said"
    cp "$folder/without-shell.yaml" "$root/etc/synod/synod.yaml"
    rm -r "$root/etc/systemd/system/synod.service.d"
    inside userdel ben
    inside userdel eve
    inside systemctl daemon-reload
    inside systemctl start synod
    answers "after that it answers in the room"
}

reloads() {
    local pid
    pid=$(property MainPID)
    echo 'layout: list' >>"$root/etc/synod/synod.yaml"
    succeeds "a reload goes through" inside systemctl reload synod
    becomes "after a reload it is up" "Connected to the homeserver" property StatusText
    becomes "the new configuration is in force" "Nothing changed · my config has not changed" \
        homeserver ask '!config reload --plan'
    is "a reload is no restart" "$pid" "$(property MainPID)"
    succeeds "a restart goes through" inside systemctl restart synod
    answers "after a restart it answers"
    is "a restart makes no other device" "$devices" "$(homeserver devices)"
}

is_watched() {
    mkdir -p "$root/etc/systemd/system/synod.service.d"
    printf '[Service]\nWatchdogSec=3s\nRestartSec=1s\n' \
        >"$root/etc/systemd/system/synod.service.d/trial.conf"
    inside systemctl daemon-reload
    inside systemctl restart synod
    homeserver stop
    becomes "an outage shows in the status" "Waiting for the homeserver to answer" property StatusText
    # Three times as long as the watchdog waits: what is asserted is that nothing happens.
    sleep 9
    is "an outage is no reason to restart" 0 "$(property NRestarts)"
    homeserver start
    becomes "after an outage it is back" "Connected to the homeserver" property StatusText

    homeserver stop
    local from=$SECONDS
    succeeds "without a homeserver a start ends too" inside systemctl restart synod
    succeeds "after a minute" test $((SECONDS - from)) -ge 55 -a $((SECONDS - from)) -le 75
    is "and the status says so" "Waiting for the homeserver to answer" "$(property StatusText)"
    homeserver start
    becomes "when it comes, it is served" "Connected to the homeserver" property StatusText

    inside kill -STOP "$(property MainPID)"
    becomes "what hangs is started again" 1 property NRestarts
    becomes "and is up" active inside systemctl is-active synod
    has "the journal says why" "Watchdog timeout" "$(inside journalctl -u synod --no-pager)"
    answers "after that it answers"
    rm -r "$root/etc/systemd/system/synod.service.d"
    inside systemctl daemon-reload
}

rotates() {
    homeserver rotate
    install -m 0600 "$folder/homeserver/bot/admin-token" "$root/etc/synod/secrets/"
    inside systemctl restart synod
    answers "after a restart it uses the new token"
}

refuses_faults() {
    cp "$root/etc/synod/synod.yaml" "$folder/sound.yaml"
    echo 'read_onyl: true' >>"$root/etc/synod/synod.yaml"
    inside systemctl restart synod 2>/dev/null && is "a fault ends the start" failed started
    becomes "a faulty configuration fails the service" failed inside systemctl is-active synod
    is "and is not tried again" "0 2" "$(property NRestarts) $(property ExecMainStatus)"
    has "the journal names the fault" "read_onyl" "$(inside journalctl -u synod --no-pager -n 20)"
    cp "$folder/sound.yaml" "$root/etc/synod/synod.yaml"
    inside systemctl start synod
    answers "repaired, it answers"
}

upgrades() {
    local pid
    pid=$(property MainPID)
    inside dpkg -i "/srv/$(basename "$second")" >"$folder/upgrade.log" 2>&1
    is "an upgrade is there" "$new" "$(inside dpkg-query -W -f '${Version}' synod)"
    is "an upgrade restarts it" active "$(inside systemctl is-active synod)"
    [ "$pid" != "$(property MainPID)" ] || is "an upgrade restarts it" "another process" "$pid"
    answers "after an upgrade it answers"
    is "an upgrade leaves the configuration" "$(cat "$folder/sound.yaml")" \
        "$(cat "$root/etc/synod/synod.yaml")"
    inside systemctl stop synod
    is "a stop is clean" success "$(property Result)"
    inside dpkg -i "/srv/$(basename "$first")" >"$folder/downgrade.log" 2>&1
    is "what was stopped stays so" inactive "$(inside systemctl is-active synod || true)"
}

goes() {
    inside systemctl start synod
    inside dpkg -r synod >"$folder/remove.log" 2>&1
    is "a removal ends it" "" "$(inside pgrep -x synod || true)"
    is "and takes the binary" absent "$([ -e "$root/usr/bin/synod" ] || echo absent)"
    succeeds "the state stays" test -e "$root/var/lib/private/synod/recovery.key"
    succeeds "the configuration stays" test -e "$root/etc/synod/synod.yaml"
    inside dpkg -i "/srv/$(basename "$second")" >"$folder/again.log" 2>&1
    inside systemctl start synod
    answers "installed again, it goes on"
    is "with the device of before" "$devices" "$(homeserver devices)"
    inside dpkg -P synod >"$folder/purge.log" 2>&1
    is "a purge ends it" "" "$(inside pgrep -x synod || true)"
    rm "$root"/srv/synod_*.deb
    is "a purge leaves nothing" "" "$(inside find / -xdev \( -path /proc -o -path /sys -o -path \
        /var/log/journal \) -prune -o -name '*synod*' -print)"
}

homeserver make
boot
newcomes
installs
configures
runs
hears_shells
reloads
is_watched
rotates
refuses_faults
upgrades
goes
echo "took $((SECONDS - began)) s"
echo "$passed passed, 0 failed"
