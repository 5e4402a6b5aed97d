import logging
import os
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Annotated
from urllib.parse import unquote

import httpx
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

AUTH = os.environ.get("AUTH", "http://127.0.0.1:8080")  # vestibule, as this app reaches it
app = FastAPI(default_response_class=PlainTextResponse)
# No proxy of HTTP_PROXY, which would be sent the cookies of visitors, and no jar: each visitor has a cookie of their own.
no_jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
client = httpx.AsyncClient(base_url=AUTH, timeout=5, trust_env=False, cookies=no_jar)


async def who_is_there(request: Request, response: Response):
    """Who is signed in, or None."""
    try:
        answer = await client.get("/session", headers={"Cookie": request.headers.get("cookie", "")})
        if answer.status_code != 401:
            answer.raise_for_status()
        user = answer.json().get("user")
    except (httpx.HTTPError, ValueError) as error:
        logging.exception("%s/session does not say who is signed in", AUTH)
        raise HTTPException(503, "The sign-in is out of order", {"Retry-After": "1"}) from error
    for cookie in answer.headers.get_list("set-cookie"):
        response.headers.append("set-cookie", cookie)
    return user


User = Annotated[dict | None, Depends(who_is_there)]


@app.get("/")
async def home(user: User):
    return f"Hello {user['username']}" if user else "Hello stranger"


@app.get("/api/me", response_class=JSONResponse)
async def me(user: User):
    if not user:
        raise HTTPException(401, "not signed in")
    return {"name": user["username"]}


@app.get("/private")
async def private(remote_name: Annotated[str, Header()]):
    return f"Hello {unquote(remote_name)}"


@app.get("/admin")
async def admin(remote_name: Annotated[str, Header()], remote_groups: Annotated[str, Header()] = ""):
    if "admin" not in remote_groups.split(","):
        raise HTTPException(403)
    return f"Hello administrator {unquote(remote_name)}"
