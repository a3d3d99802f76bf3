# Sourced by the scripts: what builds, homeservers and packages need of the machine.
# Installs what it can; names all that is missing in one line and ends otherwise.

# at_least WANTED FOUND: whether version FOUND is WANTED or newer.
at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

python_can() {
    python3 -c "import $1" 2>/dev/null
}

need_tools() {
    local missing=() found
    command -v cargo >/dev/null || missing+=("cargo (https://rustup.rs)")
    if found=$(rustc --version 2>/dev/null | cut -d ' ' -f 2) && [ -n "$found" ]; then
        at_least 1.93 "$found" || missing+=("rustc 1.93 or newer (found $found: rustup update)")
    else
        missing+=("rustc 1.93 or newer (https://rustup.rs)")
    fi
    command -v cc >/dev/null || missing+=("a C compiler, cc (Debian: apt install gcc libc6-dev)")
    if found=$(python3 -c 'import platform; print(platform.python_version())' 2>/dev/null); then
        at_least 3.11 "$found" || missing+=("python3 3.11 or newer (found $found)")
    else
        missing+=("python3 3.11 or newer (Debian: apt install python3)")
    fi
    if [ ${#missing[@]} -eq 0 ] && ! python_can ensurepip && ! python_can pip; then
        if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
            echo "installing python3-venv with apt"
            { apt-get update -qq && apt-get install -qq -y python3-venv; } >/dev/null || true
        fi
        python_can ensurepip || missing+=("Python's venv (Debian: apt install python3-venv)")
    fi
    if [ ${#missing[@]} -gt 0 ]; then
        local list
        list=$(printf '; %s' "${missing[@]}")
        echo "missing: ${list#; }" >&2
        exit 1
    fi
}

# What the tests need and the demo does not: PostgreSQL, since what Synapse estimates of its rooms it
# asks of no other database. Each test that wants one starts one of its own, in a folder under the
# one for temporary files and on a socket there; root does so as the user "postgres" of the package.
need_postgres() {
    if compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; then
        return
    fi
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "installing postgresql with apt"
        # Without one for the whole machine, which Debian would make and start at once.
        local none=/etc/postgresql-common/createcluster.d/none-by-itself.conf
        mkdir -p "$(dirname "$none")"
        echo 'create_main_cluster = false' >"$none"
        { apt-get update -qq && apt-get install -qq -y postgresql; } >/dev/null || true
        rm -f "$none"
    fi
    if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
        echo "missing: PostgreSQL (Debian: apt install postgresql)" >&2
        exit 1
    fi
}

# What a homeserver of several processes takes besides, for the tests of workers.
need_workers() {
    need_debian redis-server redis-server
    need_debian nginx nginx-light
}

# need_tool NAME VERSION COMMAND [ARGUMENTS]: this very version of a tool of cargo's, built once into the
# build folder. COMMAND prints its version. 1 where it is not there and cannot be had. $optimized is set
# for a tool whose work takes longer than its build.
need_tool() {
    local name=$1 version=$2 command=$3 root="${CARGO_TARGET_DIR:-target}/tools"
    shift 3
    # One that was built without optimization does not stand in for one with it.
    [ -z "${optimized:-}" ] || root+=-optimized
    PATH="$(mkdir -p "$root" && cd "$root" && pwd)/bin:$PATH"
    if [ -n "${optimized:-}" ] && [ ! -x "$root/bin/$name" ] ||
        [[ "$($command --version 2>/dev/null)" != *"$version" ]]; then
        echo "building $name $version (the first time takes minutes)"
        # Without optimization: that takes a third of the time, and what it does takes seconds.
        local debug=(--debug)
        [ -z "${optimized:-}" ] || debug=()
        cargo install "$name" --version "=$version" --locked "${debug[@]}" --quiet --root "$root" "$@"
    fi
}

# What holds deny.toml.
need_deny() {
    need_tool cargo-deny 0.20.2 "cargo deny"
}

# What makes a book of docs, and what follows each link and anchor in it without a network.
need_book() {
    need_tool mdbook 0.5.4 mdbook --no-default-features --features search &&
        need_tool hyperlink 0.3.2 hyperlink
}

# What builds the packages: a tool of crates.io of this very version, built once into the build folder.
need_crate() {
    local crate=$1 version=$2 root="${CARGO_TARGET_DIR:-target}/tools"
    PATH="$(mkdir -p "$root" && cd "$root" && pwd)/bin:$PATH"
    if ! cargo install --list --root "$root" | grep -qx "$crate v$version:"; then
        echo "building $crate $version (the first time takes minutes)" >&2
        # Without optimization: that takes a third of the time, and what it does takes seconds.
        cargo install "$crate" --version "=$version" --locked --debug --quiet --root "$root"
    fi
}

# A program, from a package of Debian where it is missing: need_debian PROGRAM PACKAGE.
need_debian() {
    command -v "$1" >/dev/null && return
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "installing $2 with apt" >&2
        { apt-get update -qq && apt-get install -qq -y "$2"; } >/dev/null 2>&1 || true
    fi
    if ! command -v "$1" >/dev/null; then
        echo "missing: $1 (Debian: apt install $2)" >&2
        exit 1
    fi
}

# read_build_options "$@": what scripts take that pack or run the binary. --profile NAME goes to $profile,
# --no-build empties $build.
read_build_options() {
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
}

# Builds the binary with $profile, unless $build is empty; $binary says where it lies.
build_binary() {
    local folder=$profile
    [ "$profile" != dev ] || folder=debug
    binary=${CARGO_TARGET_DIR:-target}/$folder/synod
    if [ -n "$build" ] && [ "$profile" = dev ]; then
        # With an example, so that it has the dependencies of the tests: with fewer of their features all
        # would be compiled once more.
        cargo build --workspace --bin synod --example demo --quiet
    elif [ -n "$build" ]; then
        cargo build --profile "$profile" --locked --package synod --bin synod --quiet
    fi
    if [ ! -x "$binary" ]; then
        echo "missing: $binary; build it, or leave --no-build out" >&2
        exit 1
    fi
}

# The version in Cargo.toml.
crate_version() {
    sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml
}

# Debian's form of the changelog, of this version of the package. Its date is that of the last commit,
# so that the same commit makes the same package.
debian_changelog() {
    local date
    date=$(date -R -u -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}")
    printf 'synod (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n' "$1"
    printf ' -- %s  %s\n' "$(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)" "$date"
}

# The Python of an environment with Synapse: the one of the tests, or else one of its own.
need_synapse() {
    local folder="${CARGO_TARGET_DIR:-target}/synapse" version
    if [ ! -x "$folder/venv/bin/python" ]; then
        folder="${CARGO_TARGET_DIR:-target}/trial"
        version=$(grep -o 'matrix-synapse==[0-9.]*' tests/world/src/install.rs)
        if [ ! -e "$folder/complete" ]; then
            echo "installing $version" >&2
            rm -rf "$folder"
            python3 -m venv "$folder/venv" >&2
            "$folder/venv/bin/pip" install --quiet "$version" >&2
            touch "$folder/complete"
        fi
    fi
    # Not resolved: it knows its environment by where it is called.
    echo "$(cd "$folder" && pwd)/venv/bin/python"
}
