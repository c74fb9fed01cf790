#!/bin/sh
# Installs the agent, or brings it up to date, as often as it is run:
#
#   sudo ./install-agent.sh [BINARY]
#
# BINARY is iotbridge-agent beside this script unless named. A configuration and a key
# that are there are kept as they are, and closed to other users. With DESTDIR=DIR all
# goes below DIR, no user is made and nothing is started.
set -eu
umask 022

user=iotbridge
root=${DESTDIR:-}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
binary=${1:-$here/iotbridge-agent}
etc=$root/etc/iotbridge
conf=$etc/agent.conf

die() {
	printf 'install-agent.sh: %s\n' "$1" >&2
	exit 1
}

# put SOURCE MODE TARGET: a reader sees the old file or the new one, never a half.
put() {
	mkdir -p "$(dirname -- "$3")"
	if cmp -s -- "$1" "$3"; then
		chmod "$2" "$3"
		return
	fi
	cp -- "$1" "$3.new"
	chmod "$2" "$3.new"
	mv -f -- "$3.new" "$3"
}

# own OWNER:GROUP MODE PATH, which is no link.
own() {
	[ ! -L "$3" ] || die "$3 is a symbolic link: replace it by what it points to"
	[ -n "$root" ] || chown "$1" "$3"
	chmod "$2" "$3"
}

# close_key KEY, in a folder that is the agent's: what it might put in the key's place
# must not be changed with root's rights.
close_key() {
	if [ -n "$root" ]; then
		chmod 600 "$1"
		return
	fi
	chown -h "$user:$user" "$1"
	# shellcheck disable=SC2016 # the inner shell reads its own argument
	su -s /bin/sh "$user" -c 'chmod 600 -- "$1"' sh "$1"
}

[ $# -le 1 ] || die "usage: install-agent.sh [BINARY]"
[ -f "$binary" ] || die "$binary is not there: name the agent's binary, as in ./install-agent.sh ./iotbridge-agent-linux-armv6"
[ -f "$here/iotbridge-agent.service" ] || die "iotbridge-agent.service is not beside this script"
[ -f "$here/agent.conf" ] || die "agent.conf is not beside this script"
if [ -z "$root" ]; then
	[ "$(id -u)" -eq 0 ] || die "this needs root: run it with sudo"
	if ! id "$user" >/dev/null 2>&1; then
		useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
	fi
fi

put "$binary" 755 "$root/usr/local/bin/iotbridge-agent"
put "$here/iotbridge-agent.service" 644 "$root/etc/systemd/system/iotbridge-agent.service"

[ ! -L "$etc" ] || die "$etc is a symbolic link: replace it by what it points to"
mkdir -p "$etc/keys"
own "root:$user" 750 "$etc"
own "$user:$user" 700 "$etc/keys"
if [ ! -e "$conf" ] && [ ! -L "$conf" ]; then
	cp -- "$here/agent.conf" "$conf.new"
	# A link is made only when there is nothing yet, whoever else writes just now.
	ln -- "$conf.new" "$conf" || true
	rm -f -- "$conf.new"
fi
own "$user:$user" 600 "$conf"
for key in "$etc"/*private* "$etc"/keys/*private*; do
	[ ! -e "$key" ] || close_key "$key"
done

[ -z "$root" ] || exit 0
if [ ! -d /run/systemd/system ]; then
	printf '%s\n' "Installed. systemd does not run here: start it from crontab, as README.md says."
	exit 0
fi
systemctl daemon-reload
systemctl enable --quiet iotbridge-agent.service
if grep -q '^[^#]*=[[:space:]]*<' "$conf"; then
	printf '%s\n' "Installed. Next: make the key, register the device, fill in $conf, start it:" \
		"  sudo -u $user iotbridge-agent keygen -c $conf" \
		"  sudo systemctl start iotbridge-agent"
else
	systemctl restart iotbridge-agent.service
	printf '%s\n' "Installed and started. How it fares: sudo -u $user iotbridge-agent status -c $conf"
fi
