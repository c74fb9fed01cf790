#!/bin/sh
# Makes the secrets of one box, each where there is none, so that it may be run again:
#
#   ./init.sh [DIR [NAME...]]
#
# DIR is ./secrets. NAMEs, DNS names or IP addresses, are by which devices reach the
# gateway, beside localhost and this machine's. The server's certificate lasts a year;
# to have another, take server.pem away and run this again. Beside compose.yaml it also
# writes .env, which says who may read DIR.
set -eu
umask 027

dir=${1:-secrets}
[ $# -eq 0 ] || shift
command -v openssl >/dev/null || { echo 'init.sh: openssl is missing' >&2; exit 1; }
[ -d "$dir" ] || mkdir -m 750 "$dir"

# put FILE: standard input, whole or not at all, for the owner and the group.
put() {
	cat >"$dir/$1.new"
	[ -s "$dir/$1.new" ] || { echo "init.sh: $1 could not be made" >&2; exit 1; }
	mv "$dir/$1.new" "$dir/$1"
}

# key FILE: a P-256 key, which openssl itself writes for the owner alone.
key() {
	openssl ecparam -name prime256v1 -genkey -noout | put "$1"
}

if [ ! -s "$dir/ca.pem" ]; then
	key ca.key
	chmod 600 "$dir/ca.key"
	openssl req -x509 -new -sha256 -key "$dir/ca.key" -days 3650 -subj '/CN=iotbridge box authority' \
		-addext 'basicConstraints=critical,CA:TRUE,pathlen:0' -addext 'keyUsage=critical,keyCertSign,cRLSign' | put ca.pem
fi

if [ ! -s "$dir/server.pem" ]; then
	names="DNS:localhost,DNS:gateway,IP:127.0.0.1,DNS:$(hostname)"
	for name in "$@"; do
		case $name in
		*:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) names="$names,IP:$name" ;;
		*) names="$names,DNS:$name" ;;
		esac
	done
	key server.key
	extensions=$dir/extensions.new
	printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n' "$names" >"$extensions"
	openssl req -new -sha256 -key "$dir/server.key" -subj '/CN=iotbridge gateway' |
		openssl x509 -req -sha256 -days 365 -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
			-extfile "$extensions" 2>/dev/null | put server.pem
	rm -f "$extensions"
fi

if [ ! -s "$dir/admin.token" ] || [ ! -s "$dir/operators" ]; then
	openssl rand -hex 24 | put admin.token
	printf 'admin admin %s\n' "$(tr -d '\n' <"$dir/admin.token" | openssl dgst -sha256 -r | cut -d' ' -f1)" | put operators
fi
[ -s "$dir/attestation.keys" ] || printf 'box-1 %s\n' "$(openssl rand -base64 32)" | put attestation.keys
if [ -e compose.yaml ]; then
	[ -s "$dir/postgres.password" ] || openssl rand -hex 24 | put postgres.password
	printf 'postgres:5432:iotbridge:iotbridge:%s\n' "$(cat "$dir/postgres.password")" | put pgpass
	[ -s "$dir/grafana.password" ] || openssl rand -hex 12 | put grafana.password
	printf 'SECRETS_GID=%s\n' "$(id -g)" >.env
fi
