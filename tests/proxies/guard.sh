# What a visitor sees of an app that a reverse proxy guards, and what the app sees of them. Run by run.sh.
# shellcheck shell=sh
set -eu

: "${PORT:?}" "${CA:?}" "${BINARY:?}" "${DATABASE:?}" "${KIND:?}"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
. ./visitor.sh
jar=$folder/jar
# The origin of the sign-in, and the URL of its pages, which may be below a path.
origin=https://auth.example.test:$PORT
auth=$origin${PREFIX:-}
app=https://app.example.test:$PORT
wiki=https://wiki.example.test:$PORT
password='three unrelated words'

web() {
    curl --silent --show-error --max-time 30 --cacert "$CA" --http1.1 \
        --resolve "auth.example.test:$PORT:127.0.0.1" --resolve "app.example.test:$PORT:127.0.0.1" \
        --resolve "wiki.example.test:$PORT:127.0.0.1" "$@"
}
# A browser that remembers.
known() { page --cookie "$jar" --cookie-jar "$jar" "$@"; }

# the value of a header that reached the app
value() { tr -d '\r' <"$folder/echo" | sed -n "s/^$1: //Ip"; }

# From a link to an app, through the sign-in, to the very address.
asked="$app/a%20b/%C3%A4?x=1&y=%C3%A4%26z&next=https://e.com/&empty="
next='https://app.example.test:'$PORT'/a%2520b/%25C3%25A4?x=1%26y=%25C3%25A4%2526z%26next=https://e.com/%26empty='
check 'a stranger is led to the sign-in page' "302 $auth/login?next=$next" "$(way page "$asked")"
check 'HEAD is led there too' "302 $auth/login?next=$next" "$(way page --head "$asked")"
# To the form for the first account, where there is none yet.
known --location "$auth/login?next=$next" --output "$folder/form"
hidden=$(sed -n 's/.*name="next" value="\([^"]*\)".*/\1/p' "$folder/form" | sed 's/&amp;/\&/g')
check 'the form keeps the address whole' "$asked" "$hidden"
known "$auth/signup" --output /dev/null --header "Origin: $origin" \
    --data-urlencode username=Anna --data-urlencode "password=$password"
known "$auth/logout" --output /dev/null --header "Origin: $origin" --data ''
answer=$(way known "$auth/login" --header "Origin: $origin" --data-urlencode username=anna \
    --data-urlencode "password=$password" --data-urlencode "next=$hidden")
check 'signing in leads back to the very address' "302 $asked" "$answer"
# httpd joins fields with a comma, and Cookie is none that may be repeated.
more=$([ "$KIND" = apache ] && echo X-Cookie || echo Cookie)
known "$asked" --cookie-jar "$folder/unused" --header "$more: theme=dark" --output "$folder/echo"
check 'the app gets the very address' "GET /a%20b/%C3%A4?x=1&y=%C3%A4%26z&next=https://e.com/&empty= HTTP/1.1" \
    "$(head -n 1 "$folder/echo" | tr -d '\r')"

# What the app is told.
"$BINARY" user groups anna ops,staff --database "$DATABASE" >/dev/null
"$BINARY" user email anna anna@example.test --database "$DATABASE" >/dev/null
known "$app/" --output "$folder/echo"
check 'the app is told the name' anna "$(value Remote-User)"
check 'the app is told the name to show' Anna "$(value Remote-Name)"
check 'the app is told the groups' ops,staff "$(value Remote-Groups)"
check 'the app is told the address' anna@example.test "$(value Remote-Email)"
check 'the app is told the id' 15 "$(value Remote-Id | tr -d '\n' | wc -c | tr -d ' ')"
check 'the app does not get the session' '' "$(grep -i auth_session "$folder/echo" || true)"
token=$(awk '$6 ~ /auth_session/ { print $7 }' "$jar")
web --header "Cookie: a=b; __Secure-auth_session=$token; c=d" "$app/" --output "$folder/echo"
check 'the app gets its own cookies' 'a=b; c=d' "$(value Cookie)"
for cookies in "__Secure-auth_session=$token; a=b; __Secure-auth_session=$token" \
    "a=b;  __Secure-auth_session =$token" "a=b;__Secure-auth_session=$token" "a=b; auth_session=x;	__Secure-auth_session	=	$token"; do
    web --header "Cookie: $cookies" "$app/" --output "$folder/echo"
    check 'the app is told who has sent them, however they are written' anna "$(value Remote-User)"
    check 'and gets no session' '' "$(grep "$token" "$folder/echo" || true)"
done
# HTTP/2 lets clients send cookies in several fields (RFC 9113 § 8.2.3); over HTTP/1.1 no browser does.
several() {
    web "$@" --header 'Cookie: a=b' --header "Cookie: __Secure-auth_session=$token" --header 'Cookie: c=d' "$app/" \
        --output "$folder/echo" --write-out '%{http_version} '
    echo "$(value Remote-User) $(value Cookie | grep . | paste -s -d ';' | sed 's/; */; /g')"
}
[ -n "${CLEAR:-}" ] || check 'cookies in several fields of HTTP/2 are read together' '2 anna a=b; c=d' "$(several --http2)"
if [ "$KIND" = apache ]; then
    # httpd joins fields by a comma, which is a part of a value. So no client is let in, and nothing is forged.
    check 'cookies in several fields of HTTP/1.1 are no session' '1.1  ' "$(several)"
    several --basic --user "anna:$password" >/dev/null
    check 'and the app gets no session from them' 'anna ' "$(value Remote-User) $(grep "$token" "$folder/echo" || true)"
else
    check 'and those of HTTP/1.1' '1.1 anna a=b; c=d' "$(several)"
fi

# Names as the rules allow them: what a header cannot hold comes escaped, and all else as it is.
odd() {
    printf '%s\n' "$password" | "$BINARY" user add "$1" --database "$DATABASE" >/dev/null
    rm -f "$folder/odd"
    page --cookie-jar "$folder/odd" "$auth/login" --output /dev/null --header "Origin: $origin" \
        --data-urlencode "username=$1" --data-urlencode "password=$password"
    page --cookie "$folder/odd" "$app/" --output "$folder/echo"
    check "the app is told the very name $1" "$2" "$(value Remote-User)"
    check "and to show $1" "$3" "$(value Remote-Name)"
    "$BINARY" user delete "$1" --yes --database "$DATABASE" >/dev/null
    "$BINARY" user free "$1" --database "$DATABASE" >/dev/null
}
odd "~!+#\$&'*-.^_|\`@/?" "~!+#\$&'*-.^_|\`@/?" "~!+#\$&'*-.^_|\`@/?"
odd '"(A),;<=>[\]{}:%+ é' '"(a)%2C;<=>[\]{}:%25+%20%C3%A9' '"(A),;<=>[\]{}:%25+ %C3%A9'

# A request that changes something arrives whole, for a signed-in user.
known "$app/form" --data 'a=b&c=d' --output "$folder/echo"
check 'a form reaches the app' 'a=b&c=d' "$(tail -n 1 "$folder/echo")"

# Forged identity, in every spelling and on every path.
"$BINARY" user groups anna '' --database "$DATABASE" >/dev/null
"$BINARY" user email anna '' --database "$DATABASE" >/dev/null
: >"$folder/forged"
for what in User Id Name Groups Email; do
    lower=$(printf %s "$what" | tr '[:upper:]' '[:lower:]')
    upper=$(printf %s "$what" | tr '[:lower:]' '[:upper:]')
    for name in "Remote-$what" "remote-$lower" "REMOTE-$upper" "Remote_$what" "remote_$lower" \
        "REMOTE_$upper" "Remote.$what" "rEmOtE-$lower" "Remote-_$what"; do
        printf 'header = "%s: forged"\n' "$name" >>"$folder/forged"
    done
done
for path in / /api/ /static/x.png /.well-known/x /a/../b '/?x=/auth/' //x /_vestibule/x /auth/nginx; do
    known "$app$path" --path-as-is --config "$folder/forged" --output "$folder/echo"
    check "no forged header reaches $path" 'anna Anna   ' \
        "$(value Remote-User) $(value Remote-Name) $(value Remote-Groups) $(value Remote-Email) $(
            grep -v -i 'Remote-_' "$folder/echo" | grep -i forged || true)"
    check "no forged header opens $path" 302 \
        "$(status page "$app$path" --path-as-is --config "$folder/forged")"
done
for header in 'X-Forwarded-Host: evil.example' 'X-Forwarded-Uri: //evil.example/' \
    'X-Forwarded-Proto: http' 'X-Original-URL: https://evil.example/' 'X-Forwarded-Method: POST' \
    'Forwarded: host=evil.example'; do
    check "nothing follows from $header" "302 $auth/login?next=$next" \
        "$(way page "$asked" --header "$header")"
done
known "$auth/whoami" --header 'Accept: text/plain' --header 'X-Forwarded-For: 203.0.113.9' \
    --output "$folder/whoami"
check 'no client is believed about its address' "${CLIENT:-127.0.0.1}" "$(cat "$folder/whoami")"

# Headers of the connection, with which a client could have others dropped, and upgrades behind which
# no app would look at what it says of itself.
for drop in 'close, Remote-User, Remote-Groups' 'Remote-Name, Remote-Id'; do
    known "$app/" --header "Connection: $drop" --output "$folder/echo"
    check "no header is lost by Connection: $drop" 'anna Anna' "$(value Remote-User) $(value Remote-Name)"
done
known "$app/" --header 'Connection: Upgrade, HTTP2-Settings' --header 'Upgrade: h2c' \
    --header 'HTTP2-Settings: AAMAAABkAAQAAP__' --output "$folder/echo"
check 'the app is asked for no upgrade but a WebSocket' ' ' "$(value Upgrade) $(value Connection | grep -i upgrade || true)"
# Beside a WebSocket as well, in one field or in two, in either order.
for upgrades in 'h2c, websocket' 'websocket, h2c' 'h2c|websocket' 'websocket|h2c'; do
    known "$app/" --header 'Connection: Upgrade, HTTP2-Settings' --header 'HTTP2-Settings: AAMAAABkAAQAAP__' \
        --header "Upgrade: ${upgrades%|*}" --header "Upgrade: ${upgrades#*|}" --output "$folder/echo"
    check "the app is asked for no h2c by $upgrades" 0 "$(value Upgrade | grep -ic h2c || true)"
done
known "$app/" --header 'Connection: Upgrade' --header 'Upgrade: websocket' --header 'Sec-WebSocket-Version: 13' \
    --header 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' --output "$folder/echo"
check 'the app is asked for a WebSocket' 'websocket' "$(value Upgrade)"
# As long as nginx takes it, however much of it has to be encoded, through the sign-in page and back.
known "$auth/logout" --output /dev/null --header "Origin: $origin" --data ''
for part in , 'x=%C3%A4&' '&'; do
    long="$app/?$(awk -v part="$part" 'BEGIN { while (length(text) + length(part) <= 8000) text = text part; print text }')"
    page "$long" --output /dev/null --dump-header "$folder/head"
    way_in=$(tr -d '\r' <"$folder/head" | sed -n 's/^Location: //Ip')
    known "$way_in" --output "$folder/form"
    hidden=$(sed -n 's/.*name="next" value="\([^"]*\)".*/\1/p' "$folder/form" | sed 's/&amp;/\&/g')
    check "a long address full of $part reaches the form" "$long" "$hidden"
    check 'and is led back to, from the address of the form' "302 $long" "$(way known "$way_in" \
        --header "Origin: $origin" --data-urlencode username=anna --data-urlencode "password=$password" \
        --data-urlencode "next=$hidden")"
    known "$long" --output "$folder/echo"
    check 'and reaches the app' "GET ${long#"$app"} HTTP/1.1" "$(head -n 1 "$folder/echo" | tr -d '\r')"
    [ "$part" = '&' ] || known "$auth/logout" --output /dev/null --header "Origin: $origin" --data ''
done

# Apps with many cookies: nginx and HAProxy have a limit of their own before that of the check.
large() {
    half=$(printf 'x%.0s' $(seq 10000))
    status known "$app/" --header "X-Large: $half" --header "X-Larger: $half"
}
case $KIND in
    caddy | traefik) check 'large header fields pass with --head-bytes' 200 "$(large)" ;;
esac

# A client that is no browser on its way to a page is told so, and no body is sent on.
check 'a form of a stranger is posted nowhere' "303 $auth/login?next=https://app.example.test:$PORT/form" \
    "$(way page "$app/form" --data 'secret=1')"
check 'a script of a stranger gets 401' 401 \
    "$(status web "$app/api" --header 'Accept: application/json' --header 'Sec-Fetch-Mode: cors')"
check 'and is told so in JSON' 'application/json {"error":"not_signed_in","message":"Unauthorized"}' \
    "$(web "$app/x.html" --header 'Accept: application/json' --header 'Sec-Fetch-Mode: cors' --dump-header "$folder/head" \
        --output "$folder/page"; tr -d '\r' <"$folder/head" | sed -n 's/^Content-Type: //Ip' | tr '\n' ' '; cat "$folder/page")"
check 'a script that posts gets 401' 401 \
    "$(status web "$app/api" --header 'Accept: application/json' --data 'a=b')"
check 'XMLHttpRequest gets 401' 401 "$(status page "$app/" --header 'X-Requested-With: XMLHttpRequest')"
check 'a picture gets 401' 401 "$(status web "$app/x.png" --header 'Accept: image/*' \
    --header 'Sec-Fetch-Mode: no-cors')"
socket() {
    status web "$app/socket" --header 'Connection: Upgrade' --header 'Upgrade: websocket' \
        --header 'Sec-WebSocket-Version: 13' --header 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$@"
}
check 'a WebSocket of a stranger gets 401' 401 "$(socket)"
check 'a WebSocket that claims to be a page gets 401' 401 "$(socket --header 'Accept: text/html')"

# Scripts.
basic() {
    user=$1
    shift
    web --basic --user "$user" "$app/" "$@"
}
basic "anna:$password" >"$folder/echo"
check 'a script gets through with name and password' anna "$(value Remote-User)"
check 'the app does not get the password' '' "$(value Authorization)"
check 'a wrong password gets 401' 401 "$(status basic anna:wrong)"
access=$(web --cookie "$jar" "$auth/account/tokens" --header "Origin: $origin" \
    --data-urlencode 'name=script' --data days=1)
web --header "Authorization: Bearer $access" "$app/" >"$folder/echo"
check 'a script gets through with an access token' anna "$(value Remote-User)"

# Groups.
denied="$wiki/a%20b?x=1&y=2"
check 'an app of a group is closed to others' 403 "$(status known "$denied" --dump-header "$folder/head")"
known "$denied" --output "$folder/page"
says() { check "the page says $1" yes "$(grep -q -F -- "$1" "$folder/page" && echo yes || cat "$folder/page")"; }
says 'Signed in as <bdi><strong>Anna</strong></bdi>'
says "This account does not have access to <strong>wiki.example.test:$PORT</strong>."
says 'Members of the group <strong>staff</strong> have access.'
says 'Please ask for the key in room 3.'
check 'in the language of the browser' yes "$(known "$denied" --header 'Accept-Language: de' |
    grep -q 'Angemeldet als <bdi><strong>Anna</strong></bdi>' && echo yes)"
style=$(grep -o "$auth/style.css[^\"]*" "$folder/page")
check 'it has the style of the sign-in' '200 same-site' "$(web --output /dev/null --dump-header - "$style" | tr -d '\r' |
    awk 'NR == 1 { status = $2 } tolower($1) == "cross-origin-resource-policy:" { print status, $2 }')"
check 'which its policy allows' yes "$(grep -i '^content-security-policy:.*style-src '"$origin"';' "$folder/head" >/dev/null && echo yes)"
check 'no user is named to the client in headers' '' "$(grep -i '^remote-' "$folder/head" || true)"
check 'a script gets 403 and no page' 'Forbidden. Members of the group staff have access.' "$(web --cookie "$jar" "$denied")"
check 'or JSON' '["staff"]' "$(web --cookie "$jar" --header 'Accept: application/json' "$denied" |
    sed -n 's/.*"groups":\([^]]*]\).*/\1/p')"
check 'HEAD gets 403' 403 "$(status known --head "$denied")"
check 'a form gets 403' 403 "$(status known "$denied" --data 'a=b')"
# Out, and in again as another user, at the address that was closed.
out=$(grep -o "$auth/logout?next=[^\"]*" "$folder/page" | sed 's/&amp;/\&/g')
known "$out" --output "$folder/page"
next=$(sed -n 's/.*name="next" value="\([^"]*\)".*/\1/p' "$folder/page" | sed 's/&amp;/\&/g')
check 'the link shows the button, with the way back' "$denied" "$next"
# In another session, as the first one is needed below.
rm -f "$folder/out"
browser() { page --cookie "$folder/out" --cookie-jar "$folder/out" "$@"; }
browser "$auth/login" --output /dev/null --header "Origin: $origin" --data-urlencode username=anna \
    --data-urlencode "password=$password"
check 'signing out leads to the app' "302 $denied" \
    "$(way browser "$auth/logout" --header "Origin: $origin" --data-urlencode "next=$next")"
came=$(way browser "$denied")
check 'and from there to the sign-in page' "302 $auth/login?next=" "${came%%https://wiki*}"
way_back=$(browser "$(echo "$came" | cut -d ' ' -f 2)" | sed -n 's/.*name="next" value="\([^"]*\)".*/\1/p' | sed 's/&amp;/\&/g')
check 'which leads back to the very address' "302 $denied" "$(way browser "$auth/signup" --header "Origin: $origin" \
    --data-urlencode username=Berta --data-urlencode "password=$password" --data-urlencode "next=$way_back")"
"$BINARY" user groups berta staff --database "$DATABASE" >/dev/null
check 'where the other user is let in' 200 "$(status browser "$denied")"
"$BINARY" user delete berta --yes --database "$DATABASE" >/dev/null
"$BINARY" user free berta --database "$DATABASE" >/dev/null
"$BINARY" user groups anna staff --database "$DATABASE" >/dev/null
check 'an app of a group is open to it' 200 "$(status known "$wiki/")"

# Out at once.
if [ -n "${PREFIX:-}" ]; then
    check 'the sign-in page has its style from below the path' 200 \
        "$(status web "$origin$(web --header 'Accept: text/html' "$auth/login" | grep -o "$PREFIX/style.css[^\"]*")")"
    for path in / /login /style.css /auth/nginx /auth/forward "${PREFIX}x/login"; do
        check "nothing is at $path beside the path of the sign-in" 404 "$(status known "$origin$path")"
    done
    for path in "/$PREFIX/auth/nginx" "$PREFIX//auth/forward" "/x/..$PREFIX/auth/nginx" "$PREFIX/%61uth/forward"; do
        check "no other spelling leads to a check: $path" 404 "$(status known --path-as-is "$origin$path")"
    done
fi
for path in /auth/nginx /auth/forward /api/authz/auth-request /api/authz/forward-auth /api/verify \
    /api/auth/nginx /api/auth/caddy /api/auth/traefik /oauth2/auth /validate; do
    check "$path is for the proxy itself" 404 "$(status known "$auth$path")"
done
"$BINARY" user disable anna --database "$DATABASE" >/dev/null
check 'a disabled user is out at once' 302 "$(status known "$app/")"
check 'their password is too' 401 "$(status basic "anna:$password")"
check 'their access token is too' 401 "$(status web --header "Authorization: Bearer $access" "$app/")"
"$BINARY" user enable anna --database "$DATABASE" >/dev/null
known "$auth/login" --output /dev/null --header "Origin: $origin" \
    --data-urlencode username=anna --data-urlencode "password=$password"
cp "$jar" "$folder/kept"
check 'a user who signs in again is in' 200 "$(status known "$app/")"
check 'signing out works' 302 "$(status known "$auth/logout" --header "Origin: $origin" --data '')"
check 'the cookie that was kept opens nothing' 302 "$(status page --cookie "$folder/kept" "$app/")"

# From outside.
doctor() {
    # shellcheck disable=SC2015 # Whatever fails, it is ill.
    "$BINARY" doctor "$app/" --ca "$CA" --resolve "auth.example.test:$PORT:127.0.0.1" \
        --resolve "app.example.test:$PORT:127.0.0.1" "$@" >"$folder/doctor" && echo well || {
        echo ill
        [ "$verbose" = no ] || cat "$folder/doctor" >&2
    }
}
verbose=$([ "${SICK:-no}" = no ] && echo yes || echo no)
if [ "$verbose" = no ]; then
    # Faults that run.sh has put into the configuration.
    check 'doctor finds a location without a check' ill "$(doctor --path /open/)"
    grep -q '^FAIL .*/open/.*200' "$folder/doctor" || { cat "$folder/doctor"; exit 1; }
    check 'doctor finds a location that lets forged headers through' ill \
        "$(printf '%s\n' "$password" | doctor --path /bare/ --sign-in anna --origin "$auth")"
    grep -q '^FAIL .*/bare/.*Remote-' "$folder/doctor" || { cat "$folder/doctor"; exit 1; }
    exit 0
fi
check 'doctor finds nothing wrong for a stranger' well "$(doctor)"
check 'doctor finds nothing wrong for a signed-in user' well \
    "$(printf '%s\n' "$password" | doctor --sign-in anna --origin "$auth")"
check 'doctor could check everything' 0 "$(grep -c '^skip' "$folder/doctor" || true)"

# And gone.
known "$auth/login" --output /dev/null --header "Origin: $origin" \
    --data-urlencode username=anna --data-urlencode "password=$password"
check 'a signed-in user is in' 200 "$(status known "$app/")"
"$BINARY" user delete anna --yes --database "$DATABASE" >/dev/null
check 'a deleted user is out at once' 302 "$(status known "$app/")"
check 'and so is their password' 401 "$(status basic "anna:$password")"
# The name rests, as the app has trusted it.
check 'no other user gets the name' 400 "$(status known "$auth/signup" \
    --header "Origin: $origin" --data-urlencode username=anna --data-urlencode "password=$password")"
"$BINARY" user free anna --database "$DATABASE" >/dev/null
