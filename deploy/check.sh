#!/usr/bin/env bash
# What .ci/run holds of the ways to run Synod, in seconds: the unit, what is in the Debian package of the
# debug binary, the manifests. What boots and runs them: deploy/debian/test.sh, deploy/image/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/needs.sh

need_tools
need_debian systemd-analyze systemd
folder=$(mktemp -d --tmpdir synod-check-XXXXXX)
trap 'rm -rf "$folder"' EXIT

for script in deploy/*.sh deploy/*/*.sh deploy/debian/scripts/* deploy/rpm/{post,preun,postun} \
    deploy/systemd/synodctl tests/*.sh; do
    bash -n "$script"
done

# What is hot is optimized alike for tests and for releases.
hot() { sed -n "s/^\[profile\.$1\.package\.\([a-z].*\)\]/\1/p" Cargo.toml; }
diff <(hot dev) <(hot release)

# The binary that it names is not installed here; systemd looks for it.
sed 's|/usr/bin/synod|/bin/true|' deploy/systemd/synod.service >"$folder/synod.service"
systemd-analyze verify --man=no "$folder/synod.service"
# In tenths: what systemd itself counts of what it could do if somebody else had it.
systemd-analyze security --offline=true --threshold=15 --no-pager "$folder/synod.service" |
    tail -n 1

package=$(deploy/debian/build.sh --profile dev ${1:+"$1"} | tail -n 1)
dpkg-deb --fsys-tarfile "$package" | tar --numeric-owner -tv | awk '{print $1, $2, $6}' | grep -v '/$' |
    LC_ALL=C sort -k 3 >"$folder/found"
LC_ALL=C sort -k 3 >"$folder/wanted" <<'WANTED'
-rw-r--r-- 0/0 ./etc/synod/config.example.yaml
-rwxr-xr-x 0/0 ./usr/bin/synod
-rwxr-xr-x 0/0 ./usr/sbin/synodctl
-rw-r--r-- 0/0 ./usr/lib/systemd/system/synod.service
-rw-r--r-- 0/0 ./usr/lib/tmpfiles.d/synod.conf
-rw-r--r-- 0/0 ./usr/share/bash-completion/completions/synod
-rw-r--r-- 0/0 ./usr/share/doc/synod/CHANGELOG.md
-rw-r--r-- 0/0 ./usr/share/doc/synod/README.md
-rw-r--r-- 0/0 ./usr/share/doc/synod/SECURITY.md
-rw-r--r-- 0/0 ./usr/share/doc/synod/changelog.Debian.gz
-rw-r--r-- 0/0 ./usr/share/doc/synod/copyright
-rw-r--r-- 0/0 ./usr/share/fish/vendor_completions.d/synod.fish
-rw-r--r-- 0/0 ./usr/share/man/man1/synod.1.gz
-rw-r--r-- 0/0 ./usr/share/man/man8/synodctl.8.gz
-rw-r--r-- 0/0 ./usr/share/zsh/vendor-completions/_synod
WANTED
# Besides these: a manual page for each command, and the pages of docs.
grep -v -e '/synod-[a-z0-9-]*\.1\.gz$' -e '/doc/synod/docs/' "$folder/found" |
    diff -u "$folder/wanted" - || {
    echo "the package does not hold what it should; see above" >&2
    exit 1
}
grep -q '/synod-run.1.gz$' "$folder/found"
dpkg-deb --control "$package" "$folder/control"
diff <(echo /etc/synod/config.example.yaml) "$folder/control/conffiles"
for script in "$folder"/control/{postinst,prerm,postrm}; do
    sh -n "$script"
    # What starts, stops and reloads is filled in.
    grep -q synod.service "$script"
    if grep -q '#DEBHELPER#' "$script"; then
        echo "$script was not filled in" >&2
        exit 1
    fi
done
dpkg-deb --fsys-tarfile "$package" | tar -xO ./etc/synod/config.example.yaml >"$folder/example.yaml"
grep -q 'admin_token: { credential: secrets_admin-token }' "$folder/example.yaml"
deploy/kubernetes/check.sh
echo "the ways to run it hold"
