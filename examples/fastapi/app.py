import os
from typing import Annotated
from urllib.parse import unquote

import httpx
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

AUTH = os.environ.get("AUTH", "http://127.0.0.1:8080")  # vestibule, as this app reaches it
app = FastAPI(default_response_class=PlainTextResponse)
client = httpx.AsyncClient(base_url=AUTH, timeout=5)


async def who_is_there(request: Request, response: Response):
    """Who is signed in, or None."""
    answer = await client.get("/session", headers={"Cookie": request.headers.get("cookie", "")})
    client.cookies.clear()  # each visitor has a cookie of their own
    if answer.status_code != 401:
        answer.raise_for_status()
    for cookie in answer.headers.get_list("set-cookie"):
        response.headers.append("set-cookie", cookie)
    return answer.json().get("user")


@app.exception_handler(httpx.HTTPError)
async def out_of_order(request: Request, error: httpx.HTTPError):
    return PlainTextResponse("The sign-in is out of order", 503, {"Retry-After": "1"})


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
