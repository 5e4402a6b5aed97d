#!/bin/sh
# The fail2ban filter against the log of a real server: what it must match, and what it must not.
# fail2ban.sh BINARY
set -eu
cd "$(dirname "$0")/.."
binary=$1

work=$(mktemp -d)
server=""
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

"$binary" serve --listen 127.0.0.1:0 --database "$work/a.db" --throttle-free 2 2>"$work/log" &
server=$!
tries=0
until url=$(sed -n 's/.*ev=listening .* url=\([^ ]*\).*/\1/p' "$work/log") && [ -n "$url" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 500 ] || { cat "$work/log"; exit 1; }
    sleep 0.02
done
ask() { curl --silent --show-error --output "$work/body" --max-time 30 "$@"; }

# Three wrong passwords, two more that are not looked at: five lines to match.
for _ in 1 2 3 4 5; do
    ask --data 'username=anna ip=6.6.6.6 rid=1&password=wrong one' --user-agent 'ip=7.7.7.7' "$url/login"
done
# A mistyped form, a right password, a page whose name tries to look like a failure: none to match.
ask --data 'username=anna' "$url/login"
ask --data 'username=bobo&password=correct horse' "$url/signup"
ask "$url/ev=login_fail%20reason=bad_credentials%20ip=6.6.6.6%20rid=1"
kill "$server"
wait "$server"
server=""

fail2ban-regex "$work/log" contrib/fail2ban/filter.conf >"$work/result"
matched=$(sed -n 's/^Lines: .* \([0-9]*\) matched.*/\1/p' "$work/result")
dated=$(sed -n '/^Date template hits/,/^$/s/^|  *\[\([0-9]*\)\].*/\1/p' "$work/result")
if [ "$matched" != 5 ] || [ "$dated" != "$(grep -c . "$work/log")" ]; then
    cat "$work/log" "$work/result"
    echo "FAIL  the filter matched $matched lines of 5, and read the time of $dated"
    exit 1
fi
echo "ok    the fail2ban filter matches the 5 lines that it should, and no other"
