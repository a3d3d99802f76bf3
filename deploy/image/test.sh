#!/usr/bin/env bash
# Builds what deploy/image/Dockerfile ships, of the debug binary, and runs it as compose.yaml does: with
# a root that nobody writes to, as nobody, beside a real Synapse. Takes root and about a minute.
#
# Where images cannot be pulled, so here: the base is made of the libraries of this machine. Not run
# are the stage that compiles, and the base that the Dockerfile names.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/needs.sh

profile=dev build=1
read_build_options "$@"
if [ "$(id -u)" -ne 0 ]; then
    echo "missing: root, who runs the containers of this test" >&2
    exit 1
fi
need_tools
need_debian podman podman
need_debian runc runc
python=$(need_synapse)

build_binary

folder=$(mktemp -d --tmpdir synod-image-XXXXXX)
passed=0 began=$SECONDS

podman() {
    command podman --runtime runc --cgroup-manager cgroupfs --storage-driver vfs \
        --root "$folder/storage" --runroot "$folder/run" "$@"
}

finish() {
    local code=$?
    set +e
    [ "$code" -eq 0 ] || podman logs synod >&2
    podman rm --force --all --time 5 >/dev/null 2>&1
    podman volume rm --all --force >/dev/null 2>&1
    [ ! -e "$folder/homeserver/kept.json" ] || homeserver stop
    rm -rf --one-file-system "$folder"
    exit "$code"
}
trap finish EXIT

homeserver() { "$python" deploy/trial/homeserver.py "$folder/homeserver" "$@"; }

# is WHAT WANTED FOUND: both are the same.
is() {
    if [ "$2" != "$3" ]; then
        echo "not ok: $1: wanted '$2', found '$3'" >&2
        exit 1
    fi
    passed=$((passed + 1))
    echo "ok: $1"
}

# A base with nothing but what the binary links to and whom it trusts.
base() {
    local base=$folder/base library
    mkdir -p "$base"/{tmp,etc/ssl/certs}
    while read -r library; do
        mkdir -p "$base$(dirname "$library")"
        cp -L "$library" "$base$library"
    done < <(ldd "$binary" | grep -o '/[^ ]*')
    cp -L /etc/ssl/certs/ca-certificates.crt "$base/etc/ssl/certs/"
    tar -C "$base" -cf "$folder/base.tar" .
    podman import --quiet "$folder/base.tar" localhost/base >/dev/null
}

image() {
    local context=$folder/context
    mkdir -p "$context/synod/out"
    strip --strip-all -o "$context/synod/out/synod" "$binary"
    install -d -m 0700 "$context/synod/out/state"
    # What the first stage would leave stands in the context.
    { echo 'ARG BASE'; sed '1,/^# What is shipped/d; s/--from=build //' deploy/image/Dockerfile; } \
        >"$context/Dockerfile"
    podman build --quiet --format docker --build-arg BASE=localhost/base --tag localhost/synod \
        "$context" >/dev/null
}

looks_right() {
    local what='{{.Config.User}} {{.Config.Entrypoint}} {{.HealthCheck.Test}}'
    is "nobody is root, and it looks after itself" \
        "65532:65532 [/usr/bin/synod] [CMD /usr/bin/synod alive --config /etc/synod/synod.yaml]" \
        "$(podman image inspect --format "$what" localhost/synod)"
    is "no secret is in it" "[CREDENTIALS_DIRECTORY=/run/secrets]" \
        "$(podman image inspect --format '{{.Config.Env}}' localhost/synod | sed 's/PATH=[^ ]* //')"
    echo "size: $(podman image inspect --format '{{.Size}}' localhost/synod) bytes"
}

# The options of compose.yaml, and limits that no machine refuses, as some do with those of podman.
run() {
    podman run --read-only --cap-drop all --security-opt no-new-privileges --tmpfs /tmp \
        --ulimit core=0:0 --ulimit nofile=4096:4096 --ulimit nproc=1000:1000 \
        --network host --volume "$folder/synod.yaml:/etc/synod/synod.yaml:ro" \
        --volume "$folder/secrets:/run/secrets:ro" --volume state:/var/lib/synod "$@"
}

serves() {
    homeserver joined
    is "$1" 'Server admin: yes' \
        "$(homeserver ask '!user details @keeper:packages.test' | grep '^Server admin')"
}

base
image
looks_right
homeserver make
sed 's/secrets_//; s|/var/lib/synod|/var/lib/synod/state|' "$folder/homeserver/bot/synod.yaml" \
    >"$folder/synod.yaml"
chmod 0644 "$folder/synod.yaml"
install -d "$folder/secrets"
install -m 0400 -o 65532 -g 65532 "$folder/homeserver/bot/"{admin-token,password} "$folder/secrets/"

is "before it runs nothing is alive" 1 \
    "$(run --rm --no-healthcheck localhost/synod alive --config /etc/synod/synod.yaml >/dev/null && echo 0 || echo $?)"
run --detach --name synod localhost/synod >/dev/null
serves "it answers"
is "it is healthy" 0 "$(podman healthcheck run synod >/dev/null && echo 0 || echo $?)"
devices=$(homeserver devices)
is "a stop is clean" 0 "$(podman stop --time 60 synod >/dev/null && podman wait synod)"
podman start synod >/dev/null
serves "started again, it answers"
is "with the device of before" "$devices" "$(homeserver devices)"
pid=$(podman inspect --format '{{.State.Pid}}' synod)
is "it has no capability" 0000000000000000 "$(awk '/CapEff/ {print $2}' "/proc/$pid/status")"
# The wrong owner of a secret is told in a sentence.
chown 0 "$folder/secrets/password"
is "a secret that it cannot read is named" 1 "$(run --rm --no-healthcheck localhost/synod check --config \
    /etc/synod/synod.yaml 2>&1 | grep -c 'the user that runs synod may not read it')"
echo "took $((SECONDS - began)) s"
echo "$passed passed, 0 failed"
