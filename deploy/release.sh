#!/usr/bin/env bash
# What a release is: a tarball for each kind of machine, the SBOM of each program, and
# the checksums of all. The same commit, VERSION and Go give the same bytes.
#
#   VERSION=v1.2.3 deploy/release.sh [DIR]
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-dist}")
: "${VERSION:=devel}"
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$out"
rm -f "$out"/*_linux_*.tar.gz "$out"/*_linux_*.cdx.json "$out/SHA256SUMS"

GOFLAGS=-trimpath CGO_ENABLED=0 go build -modfile=internal/tools/images/go.mod -o "$stage/cyclonedx-gomod" github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

# build PROGRAM MACHINE DIR, with an SBOM beside the tarballs.
build() {
	local arch=$2 arm=
	case $2 in armv*) arch=arm arm=${2#armv} ;; esac
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOARM=$arm go build -trimpath \
		-ldflags "-s -w -X iotbridge/internal/buildinfo.version=$VERSION" -o "$3/$1" "./cmd/$1"
	"$stage/cyclonedx-gomod" bin -json -noserial -notimestamp -std -version "$VERSION" \
		-output "$out/$1_${VERSION}_linux_$2.cdx.json" "$3/$1" 2>/dev/null
}

# pack NAME FILE...: a folder of that name, with its files of root and of the commit's time.
pack() {
	local name=$1
	shift
	install -m 644 LICENSE "$stage/$name/"
	local file
	for file; do
		local mode=644
		[[ ! -x $file ]] || mode=755
		install -m $mode "$file" "$stage/$name/"
	done
	tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu \
		-C "$stage" -cf - "$name" | gzip -n9 >"$out/$name.tar.gz"
	echo "$name.tar.gz"
}

units=deploy/systemd
for machine in ${AGENTS-armv6 armv7 arm64 amd64}; do
	name=iotbridge-agent_${VERSION}_linux_$machine
	mkdir "$stage/$name"
	build iotbridge-agent "$machine" "$stage/$name"
	pack "$name" $units/{iotbridge-agent.service,install-agent.sh,agent.conf,README.md}
done
for machine in ${SERVERS-amd64 arm64}; do
	name=iotbridge_${VERSION}_linux_$machine
	mkdir "$stage/$name"
	for program in iotbridge iotbridge-gateway iotbridge-ingest; do
		build $program "$machine" "$stage/$name"
	done
	pack "$name" $units/servers/* deploy/compose/init.sh
done
cd "$out"
sha256sum ./*_linux_*.tar.gz ./*_linux_*.cdx.json | sed 's,\./,,' >SHA256SUMS
