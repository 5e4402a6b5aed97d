"""Django's own users and groups, kept by the user id that the proxy names: names may change, ids never do."""
import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF="urls", SECRET_KEY=os.environ.get("SECRET_KEY", os.urandom(32).hex()),
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware", "people.ByUserId"],
    AUTHENTICATION_BACKENDS=["people.ProxyBackend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DB", "app.db")}},
)

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
