#!/usr/bin/env bash
# Holds the manifests against the schemas of Kubernetes, and against what must not be otherwise.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/needs.sh

need_tools
venv=${CARGO_TARGET_DIR:-target}/kubernetes-validate
if [ ! -e "$venv/complete" ]; then
    echo "installing kubernetes-validate" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet kubernetes-validate==1.37.0 PyYAML==6.0.3
    touch "$venv/complete"
fi
"$venv/bin/kubernetes-validate" --strict deploy/kubernetes/synod.yaml
"$venv/bin/python" - <<'PYTHON'
import yaml

with open("deploy/kubernetes/synod.yaml") as file:
    parts = {part["kind"]: part for part in yaml.safe_load_all(file)}
spec = parts["Deployment"]["spec"]
assert spec["replicas"] == 1 and spec["strategy"]["type"] == "Recreate", "two would be one device"
pod = spec["template"]["spec"]
container = pod["containers"][0]
assert pod["securityContext"]["runAsNonRoot"]
assert container["securityContext"]["readOnlyRootFilesystem"]
assert {"startupProbe", "livenessProbe"} <= set(container)
config = yaml.safe_load(parts["ConfigMap"]["data"]["synod.yaml"])
mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
# The folder of a volume belongs to root and is open to the group, which the bot refuses.
assert config["state"].startswith(mounts["state"] + "/"), "the state is a folder in the volume"
folder = next(one["value"] for one in container["env"] if one["name"] == "CREDENTIALS_DIRECTORY")
assert mounts["secrets"] == folder
print("the manifests hold")
PYTHON
