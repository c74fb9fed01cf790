#!/bin/sh
# Commits, into the storage that buildah uses, an image of the name that the Dockerfile
# builds on, made of this machine's own parts: so that the Dockerfile can be built
# unchanged where no registry can be reached. It holds a shell and whom this machine
# trusts; Go and its caches are mounted while it builds:
#
#   standin.sh NAME
set -eu

name=$1
container=$(buildah from scratch)
root=$(buildah mount "$container")
mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/tmp" "$root/src" \
	"$root/usr/local/go" "$root/go/pkg/mod" "$root/root/.cache/go-build"
chmod 1777 "$root/tmp"
ln -s usr/bin "$root/bin"
for program in sh mkdir; do
	path=$(command -v "$program")
	cp -L "$path" "$root/usr/bin/"
	ldd "$path" | grep -o '/[^ ]*' | while read -r library; do cp -L --parents "$library" "$root"; done
done
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
buildah config --env PATH=/usr/local/go/bin:/usr/bin --env GOPATH=/go --env GOCACHE=/root/.cache/go-build --env GOPROXY=off --env GOTOOLCHAIN=local "$container"
buildah commit -q --rm "$container" "$name" >/dev/null
