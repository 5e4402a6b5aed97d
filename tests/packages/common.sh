# What the tests of packages share: sourced by them, with $work as their folder.
# shellcheck shell=sh

ok() { printf 'ok    %s\n' "$1"; }
fail() {
    printf 'FAIL  %s\n' "$1"
    exit 1
}

# commit_of PROJECT FOLDER makes FOLDER a clone with one commit: the files of PROJECT as they are, committed or not.
# The commit is the same one wherever it is made.
commit_of() {
    mkdir -p "$2"
    (cd "$1" && git ls-files -z --cached --others --exclude-standard |
        tar --create --null --ignore-failed-read --files-from=- --file=-) 2>"$work/tar.log" |
        tar --extract --directory="$2" --file=-
    git -C "$2" -c init.defaultBranch=main init --quiet
    git -C "$2" add --all
    record "$2" 'the files as they are'
}

# record FOLDER MESSAGE commits what was added.
record() {
    GIT_AUTHOR_DATE='2026-01-02T03:04:05Z' GIT_COMMITTER_DATE='2026-01-02T03:04:05Z' \
        git -C "$1" -c user.name=test -c user.email=test@example.com -c commit.gpgSign=false commit --quiet --message "$2"
}

# start LOG COMMAND… starts a server in the background and sets $server and $url, as its log names it.
start() {
    log=$1
    shift
    : >"$log"
    "$@" 2>"$log" &
    server=$!
    tries=0
    until url=$(sed -n 's/.*ev=listening address=\([^ ]*\).*/http:\/\/\1/p' "$log") && [ -n "$url" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || { cat "$log"; fail "$1 does not serve"; }
        sleep 0.02
    done
}

# sign_up URL: as in the first minute of README. The cookie may be for https alone, which curl would keep to itself.
sign_up() {
    curl --silent --show-error --max-time 30 --include --output "$work/answer" \
        --data username=anna --data 'password=correct horse' "$1/signup"
    cookie=$(sed -n 's/^Set-Cookie: \([^;]*auth_session=[^;]*\);.*/\1/p' "$work/answer")
    grep -q '^HTTP/1.1 302' "$work/answer" && [ -n "$cookie" ] || { cat "$work/answer"; fail 'the sign-up is refused'; }
    curl --silent --show-error --max-time 30 --header "Cookie: $cookie" "$1/" | grep -q 'Username: anna' ||
        fail "the user who signed up is not signed in"
}

# stop: the server that was started ends in good order.
stop() {
    kill "$server"
    wait "$server" || fail "SIGTERM ended the server with exit code $?"
    server=
}
