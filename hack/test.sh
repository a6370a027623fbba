#!/usr/bin/env bash
# test.sh <fuzz runs>: all tests, the SDK tests, and so many inputs on every fuzz target.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fuzzruns=$1
export KUBEBUILDER_ASSETS=$PWD/bin/controlplane # holds links to what your own KUBEBUILDER_ASSETS has

# The archive format is proven with stock tools. tar and sha256sum are everywhere, age is built; zstd is the system's.
if ! command -v zstd >/dev/null && command -v apt-get >/dev/null; then
	echo "installing zstd, which the tests of the archive format run"
	apt-get install -y -qq --no-install-recommends zstd >/dev/null ||
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends zstd >/dev/null; } || true
fi
command -v zstd >/dev/null ||
	{ echo "the tests need zstd (https://facebook.github.io/zstd): install it, e.g. apt-get install zstd"; exit 1; }

race=()
if command -v "$(go env CC)" >/dev/null && printf 'int main(void){return 0;}' | "$(go env CC)" -x c -o /dev/null - 2>/dev/null; then
	race=(-race)
	export CGO_ENABLED=1
	# Races are told of at the very end, where they are found: before it are thousands of lines of tests that ran beside.
	races=$(mktemp -d)
	export GORACE=log_path=$races/race
	trap 'cat "$races"/race.* 2>/dev/null || true; rm -rf "$races"' EXIT
	echo "testing, with the race detector"
else
	echo "testing, WITHOUT the race detector: it needs a C compiler, and there is none"
fi
# -short tries fewer moments and bits where the race detector would take minutes; all of them follow without it.
go test "${race[@]}" -short -timeout=45m ./...

export CGO_ENABLED=0
echo "testing archives and their storage once more: every bit, every moment"
go test ./internal/backup/archive ./internal/backup/storage

echo "testing the simulator with SDKs of other people (test/sdk)"
(cd test/sdk && go test ./...)

# Inputs are counted, not timed: up to Go 1.26 a busy machine takes the end of the time for a failure
# (https://go.dev/issue/75804). One at a time: go test fuzzes one target of one package. Where Kubernetes' libraries are
# linked in, instrumenting them takes minutes: there the seeds, which ran above, have to do; fuzz by hand for longer.
fuzz_targets() { grep -rHoE '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' --exclude-dir=sdk . || true; }
fuzz_targets | sort | while IFS=: read -r file function; do
	name=${function#func }
	if go list -deps "$(dirname "$file")" | grep -q '^k8s.io/client-go'; then
		echo "seeds only of $name: its package links Kubernetes' libraries"
		continue
	fi
	echo "fuzzing $name with $fuzzruns inputs"
	go test -run='^$' -fuzz="^$name\$" -fuzztime="${fuzzruns}x" "$(dirname "$file")" </dev/null
done
