import logging
import os
from http.cookiejar import DefaultCookiePolicy

import requests
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseForbidden, JsonResponse
from django.urls import path

AUTH = os.environ.get("AUTH", "http://127.0.0.1:8080")  # vestibule, as this app reaches it
vestibule = requests.Session()
vestibule.trust_env = False  # a proxy of HTTP_PROXY would be sent the cookies of visitors
vestibule.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # each visitor has a cookie of their own


def who_is_there(request):
    """Who is signed in, or None; for pages that the proxy does not guard."""
    answer = vestibule.get(f"{AUTH}/session", headers={"Cookie": request.headers.get("Cookie", "")}, timeout=5)
    if answer.status_code != 401:
        answer.raise_for_status()
    return answer.json().get("user")


def asking(view):
    """Hands a view who is signed in; 503 if the sign-in does not answer."""
    def answer(request):
        try:
            user = who_is_there(request)
        except requests.RequestException:
            logging.exception("%s/session does not say who is signed in", AUTH)
            return HttpResponse("The sign-in is out of order", status=503, headers={"Retry-After": "1"})
        return view(request, user)
    return answer


@asking
def home(request, user):
    return HttpResponse(f"Hello {user['username']}" if user else "Hello stranger", content_type="text/plain")


@asking
def me(request, user):
    return JsonResponse({"name": user["username"]}) if user else JsonResponse({"error": "not signed in"}, status=401)


@login_required
def private(request):
    return HttpResponse(f"Hello {request.user.first_name}", content_type="text/plain")


@login_required
def admin(request):
    if not request.user.groups.filter(name="admin").exists():
        return HttpResponseForbidden()
    return HttpResponse(f"Hello administrator {request.user.first_name}", content_type="text/plain")


urlpatterns = [path("", home), path("api/me", me), path("private", private), path("admin", admin)]
