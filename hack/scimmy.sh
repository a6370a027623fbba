#!/usr/bin/env bash
# scimmy.sh <directory>: a SCIM server of other people, test/peers/scimmy with its packages from wherever npm is told to get
# them. Node.js and npm are installed where they are missing, if apt-get can.
set -euo pipefail

from=$(cd "$(dirname "${BASH_SOURCE[0]}")/../test/peers/scimmy" && pwd -P)
out=${1:?usage: scimmy.sh <directory>}

there() { command -v node >/dev/null && command -v npm >/dev/null; }
install() { apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null; }

if ! there && command -v apt-get >/dev/null; then
	echo "  installing Node.js and npm (about 2 minutes once)"
	install || { apt-get update -qq && install; } || true
fi
there || { echo "the tests need Node.js with npm (https://nodejs.org; 18 and 20 were tried): install them, e.g. apt-get install nodejs npm" >&2; exit 1; }

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$from"/{.npmrc,package.json,package-lock.json,server.js} "$work"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier) ||
	{ echo "npm could not fetch the packages of the SCIM server, for which it needs the network once" >&2; exit 1; }
rm -rf "$out"
mv "$work" "$out"
