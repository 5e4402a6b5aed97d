#!/bin/sh
# Vestibule and the app, for development: open http://localhost:3000. The sign-in is on port 8080; browsers send the
# cookies of localhost to all of its ports, so that no proxy is needed.
set -eu
cd "$(dirname "$0")"
[ -d node_modules ] || npm install --silent
"${VESTIBULE:-vestibule}" serve --origin http://localhost:8080 --app http://localhost:3000 \
    --trusted-origin http://localhost:3000 --database dev.db &
trap 'kill $!' EXIT
echo 'Open http://localhost:3000' >&2
export LOGIN=http://localhost:8080/login?next=http://localhost:3000/ LOGOUT=http://localhost:8080/logout
npm run dev
