#!/bin/sh
# Makes htpasswd.txt with htpasswd of Apache 2.4.71 (Debian's apache2-utils), with every scheme it has.
set -eu
file=htpasswd.txt
rm -f "$file"
add() { printf '%s' "$3" | htpasswd -i $2 "$file" "$1"; }
htpasswd -c -i "$file" anna <<'PASSWORD'
correct horse battery
PASSWORD
add bcrypt -B 'correct horse battery'
add bcrypt-12 '-B -C 12' 'fiancée ① x'
add sha256 -2 'correct horse battery'
add sha512 '-5 -r 20000' 'fiancée ① x'
add 山田太郎 -m '密码 с пробелом'
add plain-sha -s 'correct horse battery'
add old-crypt -d 'correct1'
add in-clear -p 'correct horse battery'
