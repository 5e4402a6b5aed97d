#!/bin/sh
# Postfix of Debian for tests, on loopback and from a folder of its own: it is not installed, and nothing of the machine's
# own mail is touched. As root, which Postfix needs for its master.
#
#   postfix.sh get KEPT              unpacks Debian's package into this folder, unless it is there or installed
#   postfix.sh start KEPT FOLDER     starts it; prints the ports: smtp+plain, smtp and smtps, in this order
#   postfix.sh stop KEPT FOLDER      ends it
#
# FOLDER has here.pem and here.key. All mail to example.com goes to the Maildir FOLDER/mails/anna; other mail is refused at
# RCPT TO, as to an address that there is not.
set -eu

action=$1
kept=$2
folder=${3:-}
PATH=$PATH:/usr/sbin

root=$kept/postfix
[ -x "$root/usr/sbin/postfix" ] || ! command -v postfix >/dev/null || root=
libraries=$root/usr/lib/postfix

get() {
    [ -n "$root" ] && [ ! -x "$root/usr/sbin/postfix" ] || return 0
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    mkdir -p "$kept"
    (
        cd "$kept"
        apt-get update -qq
        apt-get -qq download postfix
        dpkg-deb -x postfix_*.deb postfix.new
        rm postfix_*.deb
        mv postfix.new postfix
    ) >"$kept/postfix.log" 2>&1 || { tail -n 5 "$kept/postfix.log" >&2; return 1; }
}

# Two system users and a group for Postfix, which wants some that nothing else uses while it runs.
owner() { getent passwd postfix >/dev/null && echo postfix || echo mail; }
dropper() { getent group postdrop >/dev/null && echo postdrop || echo news; }

postfix_() { env LD_LIBRARY_PATH="$libraries" PATH="$root/usr/sbin:$PATH" postfix -c "$folder/postfix" "$@"; }

configure() {
    mkdir -p "$folder/postfix/queue" "$folder/postfix/data" "$folder/mails"
    chown "$(owner)" "$folder/postfix/data"
    chown nobody "$folder/mails"
    cat >"$folder/postfix/main.cf" <<CONF
compatibility_level = 3.6
maillog_file = $folder/postfix/log
maillog_file_prefixes = $folder
queue_directory = $folder/postfix/queue
data_directory = $folder/postfix/data
daemon_directory = $root/usr/lib/postfix/sbin
command_directory = $root/usr/sbin
meta_directory = $root/etc/postfix
shlib_directory = $libraries
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH=$libraries
mail_owner = $(owner)
setgid_group = $(dropper)
default_privs = nobody
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
default_transport = error:nothing leaves this machine
virtual_mailbox_domains = example.com
virtual_mailbox_base = $folder/mails
virtual_mailbox_maps = static:anna/
virtual_minimum_uid = 1
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
smtpd_tls_cert_file = $folder/here.pem
smtpd_tls_key_file = $folder/here.key
CONF
    cat >"$folder/postfix/master.cf" <<CONF
127.0.0.1:$1 inet n - n - - smtpd
127.0.0.1:$2 inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
127.0.0.1:$3 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
CONF
}

free_ports() {
    python3 -c 'import socket
all = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*[it.getsockname()[1] for it in all])'
}

case $action in
get) get ;;
start)
    ports=$(free_ports)
    # shellcheck disable=SC2086 # Three numbers.
    configure $ports
    postfix_ start >"$folder/postfix/start" 2>&1 || { cat "$folder/postfix/start" >&2; exit 1; }
    echo "$ports"
    ;;
stop) postfix_ stop >"$folder/postfix/stop" 2>&1 || { cat "$folder/postfix/stop" >&2; exit 1; } ;;
*) sed -n '/^#   /s/^#   //p' "$0" >&2; exit 2 ;;
esac
