#!/usr/bin/env bash
# deploy.sh <image> <company namespace...>: prints the manifests of the manager, which looks after these namespaces and has
# the rights of config/rbac in them and nowhere else. The namespaces must exist.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
image=${1:?usage: deploy.sh <image> <company namespace...>}
shift
(($# > 0)) || { echo "deploy.sh: name at least one company namespace: make deploy NAMESPACES=acme" >&2 && exit 2; }
companies=$*

# kustomize reads bases by relative path only, so the overlay lies inside the tree.
overlay=bin/deploy
rm -rf "$overlay"
mkdir -p "$overlay"
for company in $companies; do
	mkdir "$overlay/$company"
	printf 'namespace: %s\nresources: [../../../config/rbac]\n' "$company" >"$overlay/$company/kustomization.yaml"
done
cat >"$overlay/kustomization.yaml" <<YAML
resources: [../../config/default, ${companies// /, }]
patches:
  - target: {kind: Deployment}
    patch: |
      - {op: replace, path: /spec/template/spec/containers/0/image, value: "$image"}
      - {op: add, path: /spec/template/spec/containers/0/args/-, value: "--namespaces=${companies// /,}"}
YAML
exec bin/tools/kustomize build "$overlay"
