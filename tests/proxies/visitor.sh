# What visitors behind a proxy do, and how it is compared. Sourced by scripts that define `web`, a curl for their
# hosts; $RECIPE stands before what is told.
# shellcheck shell=sh

# A browser that goes to a page.
page() { web --header 'Accept: text/html,*/*;q=0.8' --header 'Sec-Fetch-Mode: navigate' "$@"; }
# status and Location of an answer
way() { "$@" --output /dev/null --write-out '%{http_code} %{redirect_url}'; }
status() { "$@" --output /dev/null --write-out '%{http_code}'; }

# check 'what should happen' 'what is expected' 'what came'
check() {
    if [ "$2" = "$3" ]; then
        printf 'ok    %s\n' "${RECIPE:+$RECIPE: }$1"
    else
        printf 'FAIL  %s\n      expected: %s\n      came:     %s\n' "${RECIPE:+$RECIPE: }$1" "$2" "$3"
        exit 1
    fi
}
