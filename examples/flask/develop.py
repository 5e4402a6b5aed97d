"""What the proxy does for guarded paths, for development without one: it asks vestibule, leads strangers to the sign-in
page and names the user in headers. Not for production, where it would be the only thing between a client and them.
For every WSGI app: with Flask, app.wsgi_app = Guarded(app.wsgi_app, "/private", "/admin")."""

import os
import sys
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import quote, urlencode
from wsgiref.util import request_uri

import requests

AUTH = os.environ.get("AUTH", "http://127.0.0.1:8080")  # vestibule, as this app reaches it
SIGN_IN = os.environ.get("SIGN_IN", "http://localhost:8080")  # as browsers reach it
vestibule = requests.Session()
vestibule.trust_env = False  # a proxy of HTTP_PROXY would be sent the cookies of visitors
vestibule.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # each visitor has a cookie of their own


def opens_page(environ):
    """A browser that opens a page, and would show the sign-in page instead: no script, image or WebSocket."""
    return (environ.get("HTTP_SEC_FETCH_MODE", "navigate") == "navigate" and "text/html" in environ.get("HTTP_ACCEPT", "")
            and "websocket" not in environ.get("HTTP_UPGRADE", "").lower()
            and "xmlhttprequest" not in environ.get("HTTP_X_REQUESTED_WITH", "").lower())


class Guarded:
    def __init__(self, app, *paths):
        self.app, self.paths = app, tuple(path.lower() for path in paths)

    def __call__(self, environ, start_response):
        for name in [name for name in environ if name.startswith("HTTP_REMOTE_")]:
            del environ[name]
        path = environ.get("PATH_INFO", "").lower()
        if not path.startswith(self.paths) and f"{path}/" not in self.paths:
            return self.app(environ, start_response)
        try:
            answer = vestibule.get(f"{AUTH}/session", headers={"Cookie": environ.get("HTTP_COOKIE", "")}, timeout=5)
            if answer.status_code != 401:
                answer.raise_for_status()
            user = answer.json().get("user")
        except requests.RequestException as error:
            print(f"{AUTH}/session does not say who is signed in: {error}", file=sys.stderr)
            start_response("503 Service Unavailable", [("Content-Type", "text/plain"), ("Retry-After", "1")])
            return [b"The sign-in is out of order"]
        if not user and not opens_page(environ):
            start_response("401 Unauthorized", [("Content-Type", "text/plain")])
            return [b"Unauthorized"]
        if not user:  # 303 turns any method into GET, so that no body is sent twice
            status = "302 Found" if environ["REQUEST_METHOD"] in ("GET", "HEAD") else "303 See Other"
            start_response(status, [("Location", f"{SIGN_IN}/login?{urlencode({'next': request_uri(environ)})}")])
            return []
        environ["HTTP_REMOTE_ID"] = user["id"]
        environ["HTTP_REMOTE_USER"] = quote(user["canonical_username"])
        environ["HTTP_REMOTE_NAME"] = quote(user["username"])
        environ["HTTP_REMOTE_GROUPS"] = ",".join(user["groups"])
        if user["email"]:
            environ["HTTP_REMOTE_EMAIL"] = quote(user["email"])
        return self.app(environ, start_response)
