import os
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import quote, unquote, urlsplit

import requests
from flask import Flask, Response, abort, g, render_template_string, request

DEVELOP = os.environ.get("DEVELOP")  # without a proxy, see below
AUTH = os.environ.get("AUTH", "http://127.0.0.1:8080")  # vestibule, as this app reaches it
SIGN_IN = os.environ.get("SIGN_IN", "http://localhost:8080" if DEVELOP else "")  # as browsers reach it
app = Flask(__name__)
vestibule = requests.Session()
vestibule.trust_env = False  # a proxy of HTTP_PROXY would be sent the cookies of visitors
vestibule.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # each visitor has a cookie of their own


def who_is_there():
    """Who is signed in, or None."""
    try:
        answer = vestibule.get(f"{AUTH}/session", headers={"Cookie": request.headers.get("Cookie", "")}, timeout=5)
        if answer.status_code != 401:
            answer.raise_for_status()
        user = answer.json().get("user")
    except requests.RequestException:
        app.logger.exception("%s/session does not say who is signed in", AUTH)
        abort(Response("The sign-in is out of order", 503, {"Retry-After": "1"}))
    g.cookies = answer.raw.headers.getlist("Set-Cookie")
    return user


@app.after_request
def pass_cookies_on(response):
    for cookie in g.get("cookies", []):
        response.headers.add("Set-Cookie", cookie)
    return response


@app.before_request
def refuse_other_sites():
    """Forms of other sites and hosts. A client that names none, such as curl, has to send Origin."""
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        site = request.headers.get("Sec-Fetch-Site")
        own = urlsplit(request.headers.get("Origin", "")).netloc == request.host
        if site not in ("same-origin", "none") and (site or not own):
            abort(403)


PAGE = """<!doctype html><title>Hello</title>
<p>Hello {{ user.username or "stranger" }}</p>
{% if user %}<form method="post" action="{{ sign_in }}/logout">
  <input type="hidden" name="next" value="{{ own }}/"><button>Sign out</button></form>
{% else %}<a href="{{ sign_in }}/login?next={{ (own ~ here)|urlencode }}">Sign in</a>{% endif %}"""


def page(template, user):
    """A page with links for signing in, which lead back to the address with its query, and out."""
    query = request.query_string.decode("latin-1")
    return render_template_string(template, user=user or {}, sign_in=SIGN_IN, own=request.host_url[:-1] if DEVELOP else "",
                                  here=quote(request.path) + (f"?{query}" if query else ""))


@app.get("/")
def home():
    return page(PAGE, who_is_there())


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


if DEVELOP:
    from develop import Guarded

    app.wsgi_app = Guarded(app.wsgi_app, "/private", "/admin")

if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "3000")))
