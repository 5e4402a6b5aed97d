# What the scripts beside this file share. Each is run as `URL=http://… script.sh`, on its own or by
# run.sh, against a server that answers at $URL; they leave accounts behind, so let it be a new one. $URL has
# the path of the site on its host, if it is not at the root, and no slash at its end.
# shellcheck shell=sh disable=SC2034

set -eu

: "${URL:=http://127.0.0.1:8080}"
# Its host, and the path on it, with which every address that the site gives out begins: empty, or as in /auth.
host=$(printf %s "$URL" | cut -d / -f 1-3)
prefix=${URL#"$host"}
# The name of the session cookie: auth_session, or __Host-auth_session with an https origin.
: "${COOKIE:=auth_session}"
# The policy for new passwords that the server follows: seed, standard or nist.
: "${POLICY:=seed}"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# A browser's memory: curl reads and writes its cookies here.
jar=$folder/jar
# A name that is not taken, and a password that every policy accepts.
name=curl-$$-$(date +%s)
password='three unrelated words'

# curl without its progress meter, and not for ever.
web() { curl --silent --show-error --max-time 30 "$@"; }

# check 'what should happen' 'what is expected' 'what came'
check() {
    if [ "$2" = "$3" ]; then
        printf 'ok    %s\n' "$1"
    else
        printf 'FAIL  %s\n      expected: %s\n      came:     %s\n' "$1" "$2" "$3"
        exit 1
    fi
}

# has 'what should happen' 'a part of what is expected' 'what came'
has() {
    case $3 in
    *"$2"*) printf 'ok    %s\n' "$1" ;;
    *) check "$1" "…$2…" "$3" ;;
    esac
}

# lacks 'what should not be there' 'a part of what is not expected' 'what came'
lacks() {
    case $3 in
    *"$2"*) check "$1" "nothing with $2" "$3" ;;
    *) printf 'ok    %s\n' "$1" ;;
    esac
}
