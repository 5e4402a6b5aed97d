"""What the proxy does for guarded paths, for development without one: it asks vestibule, leads strangers to the sign-in
page and names the user in headers. Not for production, where it would be the only thing between a client and them.
For every WSGI app: with Flask, app.wsgi_app = Guarded(app.wsgi_app, "/private", "/admin")."""

import os
from urllib.parse import quote

import requests

AUTH = os.environ.get("AUTH", "http://127.0.0.1:8080")
LOGIN = os.environ.get("LOGIN", "http://localhost:8080/login?next=http://localhost:3000/")


class Guarded:
    def __init__(self, app, *paths):
        self.app, self.paths = app, tuple(path.lower() for path in paths)

    def __call__(self, environ, start_response):
        for name in [name for name in environ if name.startswith("HTTP_REMOTE_")]:
            del environ[name]
        if environ.get("PATH_INFO", "").lower().startswith(self.paths):
            answer = requests.get(f"{AUTH}/session", headers={"Cookie": environ.get("HTTP_COOKIE", "")}, timeout=5)
            if answer.status_code == 401:
                start_response("302 Found", [("Location", LOGIN)])
                return []
            answer.raise_for_status()
            user = answer.json()["user"]
            environ["HTTP_REMOTE_ID"] = user["id"]
            environ["HTTP_REMOTE_USER"] = quote(user["canonical_username"])
            environ["HTTP_REMOTE_NAME"] = quote(user["username"])
            environ["HTTP_REMOTE_GROUPS"] = ",".join(user["groups"])
            if user["email"]:
                environ["HTTP_REMOTE_EMAIL"] = quote(user["email"])
        return self.app(environ, start_response)
