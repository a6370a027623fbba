#!/usr/bin/env bash
# slapd.sh <directory>: OpenLDAP's server, unpacked from this distribution's packages; nothing is installed, and root is
# not needed. The directory gets slapd (a script that runs it), modules/ and schema/. Without apt-get, or without the
# packages, a slapd that is installed is linked.
set -euo pipefail

out=${1:?usage: slapd.sh <directory>}
mkdir -p "$out"
out=$(cd "$out" && pwd -P)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=$out/root

# Downloading is for anybody; a sandbox user could not write into our folders.
apt=(-qq -o APT::Sandbox::User="$(id -un)")

# download <package>...: into $scratch/debs. Lists of packages that are missing or old are fetched: into a folder of our own,
# unless we may write the machine's.
download() {
	rm -rf "$scratch/debs" && mkdir "$scratch/debs"
	get download "$@" && return
	echo "  fetching the lists of packages"
	if [[ ! -w /var/lib/apt/lists ]]; then
		mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial"
		apt+=(-o Dir::State::Lists="$scratch/lists" -o Dir::Cache="$scratch/cache")
	fi
	get update && get download "$@" && return
	cat "$scratch/log" >&2
	return 1
}

get() { (cd "$scratch/debs" && apt-get "${apt[@]}" "$@" 2>"$scratch/log"); }

# unpack <package>...
unpack() {
	echo "  fetching $*"
	download "$@" || return
	for deb in "$scratch"/debs/*.deb; do
		dpkg-deb -x "$deb" "$root"
	done
}

# libraries: the folders with shared libraries, seen from $out.
libraries() { (cd "$out" && find root -name 'lib*.so*' -printf '%h\n' | sort -u | sed "s|^|$1/|" | paste -sd:); }

# missing: the libraries that slapd and its modules need, and that neither this machine nor $root has.
missing() {
	find "$root" -type f \( -name slapd -path '*/sbin/*' -o -name 'back_mdb*.so*' -o -name 'ppolicy*.so*' \) -print0 |
		LD_LIBRARY_PATH=$(libraries "$out") xargs -0 ldd 2>/dev/null | awk '/not found/ {print $1}' | sort -u
}

# dependencies <package>...: the libraries among what they depend on.
dependencies() {
	apt-cache "${apt[@]}" depends --no-suggests --no-recommends --no-enhances --no-conflicts --no-breaks --no-replaces "$@" |
		awk '/Depends: lib/ {print $2}' | grep -vE '^lib(c6|gcc-s1|crypt1)$' | sort -u
}

from_packages() {
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return
	rm -rf "$root" && mkdir -p "$root"
	unpack slapd || return
	local wanted=slapd round
	for round in 1 2 3; do
		[[ -n $(missing) ]] || break
		wanted=$(dependencies $wanted)
		unpack $wanted || return
	done
	[[ -z $(missing) ]] || { echo "slapd lacks $(missing)" >&2; return 1; }
	ln -sfn root/usr/lib/ldap "$out/modules"
	ln -sfn root/etc/ldap/schema "$out/schema"
	cat >"$out/slapd.new" <<-END
		#!/bin/sh
		here=\$(dirname "\$(readlink -f "\$0")")
		LD_LIBRARY_PATH=$(libraries '$here') exec "\$here/root/usr/sbin/slapd" "\$@"
	END
}

installed() {
	local program modules schema
	program=$(PATH=$PATH:/usr/sbin:/usr/local/sbin:/usr/libexec:/usr/lib/openldap command -v slapd) || return
	for modules in /usr/lib/ldap /usr/lib64/openldap /usr/lib/openldap /usr/libexec/openldap; do
		[[ ! -e $modules/ppolicy.la && ! -e $modules/ppolicy.so ]] || break
	done
	for schema in /etc/ldap/schema /etc/openldap/schema; do
		[[ ! -e $schema/core.schema ]] || break
	done
	ln -sfn "$modules" "$out/modules"
	ln -sfn "$schema" "$out/schema"
	printf '#!/bin/sh\nexec %q "$@"\n' "$program" >"$out/slapd.new"
	echo "  using $program"
}

from_packages || installed ||
	{ echo "the tests need OpenLDAP's slapd: install it, e.g. apt-get install slapd" >&2; exit 1; }
chmod +x "$out/slapd.new"
"$out/slapd.new" -VV 2>"$scratch/version" || true
grep -q OpenLDAP "$scratch/version" || { cat "$scratch/version" >&2; exit 1; }
mv "$out/slapd.new" "$out/slapd"
