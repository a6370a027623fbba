#!/usr/bin/env bash
# Builds etcd, kubectl, kube-apiserver and kube-controller-manager from their published modules into the directory
# given as the first argument. A binary is built again only when what it is made of changes: this folder or Go itself.
# A program that $KUBEBUILDER_ASSETS already holds is linked instead (envtest bundles have all but the controller manager).
set -euo pipefail

out=${1:?usage: build.sh <output directory>}
mkdir -p "$out"
out=$(cd "$out" && pwd -P)
assets=${KUBEBUILDER_ASSETS:+$(cd "$KUBEBUILDER_ASSETS" 2>/dev/null && pwd -P || true)}
cd "$(dirname "${BASH_SOURCE[0]}")"
export CGO_ENABLED=0 GOWORK=off

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.} && minor=${minor%%.*}
ldflags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	ldflags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
done
key=$({ cat go.mod go.sum; echo "$ldflags"; go version; } | git hash-object --stdin)

log=$out/.build.log # go's own messages, shown only when a build fails

downloaded() { grep -c '^go: downloading' "$log" || true; }

# progress <pid> <name> <expected seconds>: one live line on a terminal, a line every 15 seconds elsewhere.
progress() {
	local pid=$1 name=$2 expected=$3 began=$SECONDS elapsed
	while kill -0 "$pid" 2>/dev/null; do
		elapsed=$((SECONDS - began))
		if [[ -t 1 ]]; then
			printf '\r  building %-24s %4ds of about %ds, %d modules downloaded' \
				"$name" "$elapsed" "$expected" "$(downloaded)"
		elif ((elapsed % 15 == 0)); then
			printf '  building %-24s %4ds of about %ds, %d modules downloaded\n' \
				"$name" "$elapsed" "$expected" "$(downloaded)"
		fi
		sleep 1
	done
	[[ ! -t 1 ]] || printf '\r\033[K'
}

# provide <name> <package> <expected seconds on two cores with cold caches>
provide() {
	local name=$1 package=$2 expected=$3 began=$SECONDS
	local target=$out/$name stamp=$out/.$name.key wanted=$key pid
	local given=$assets/$name
	if [[ -n $assets && $assets != "$out" && -x $given ]]; then
		wanted="linked $given"
	fi
	if [[ -x $target && -f $stamp && $(<"$stamp") == "$wanted" ]]; then
		return
	fi
	rm -f "$target" "$stamp"
	if [[ $wanted == linked* ]]; then
		ln -s "$given" "$target"
		echo "  using    $given (KUBEBUILDER_ASSETS)"
	else
		: >"$log"
		go build -trimpath -ldflags "$ldflags" -o "$target.new" "$package" 2>"$log" &
		pid=$!
		trap 'kill "$pid" 2>/dev/null || true' EXIT
		progress "$pid" "$name" "$expected"
		wait "$pid" || { cat "$log" >&2 && exit 1; }
		trap - EXIT
		mv "$target.new" "$target"
		printf '  built    %-24s %4ds\n' "$name" $((SECONDS - began))
	fi
	echo "$wanted" >"$stamp"
}

echo "Control plane: Kubernetes $version, etcd $(go list -m -f '{{.Version}}' go.etcd.io/etcd/server/v3) in $out"
provide etcd go.etcd.io/etcd/server/v3 40
provide kubectl k8s.io/kubernetes/cmd/kubectl 60
provide kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver 180
provide kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager 50
