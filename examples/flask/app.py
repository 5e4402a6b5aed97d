import os
from urllib.parse import unquote

import requests
from flask import Flask, abort, g, request

AUTH = os.environ.get("AUTH", "http://127.0.0.1:8080")  # vestibule, as this app reaches it
app = Flask(__name__)


def who_is_there():
    """Who is signed in, or None."""
    answer = requests.get(f"{AUTH}/session", headers={"Cookie": request.headers.get("Cookie", "")}, timeout=5)
    if answer.status_code != 401:
        answer.raise_for_status()
    g.cookies = answer.raw.headers.getlist("Set-Cookie")
    return answer.json().get("user")


@app.errorhandler(requests.RequestException)
def out_of_order(_):
    return "The sign-in is out of order", 503, {"Retry-After": "1"}


@app.after_request
def pass_cookies_on(response):
    for cookie in g.get("cookies", []):
        response.headers.add("Set-Cookie", cookie)
    return response


@app.get("/")
def home():
    user = who_is_there()
    return f"Hello {user['username']}" if user else "Hello stranger", {"Content-Type": "text/plain"}


@app.get("/api/me")
def me():
    user = who_is_there()
    return {"name": user["username"]} if user else ({"error": "not signed in"}, 401)


@app.get("/private")
def private():
    return f"Hello {unquote(request.headers['Remote-Name'])}", {"Content-Type": "text/plain"}


@app.get("/admin")
def admin():
    if "admin" not in request.headers.get("Remote-Groups", "").split(","):
        abort(403)
    return f"Hello administrator {unquote(request.headers['Remote-Name'])}", {"Content-Type": "text/plain"}


if os.environ.get("DEVELOP"):  # Without a proxy.
    from develop import Guarded

    app.wsgi_app = Guarded(app.wsgi_app, "/private", "/admin")

if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "3000")))
