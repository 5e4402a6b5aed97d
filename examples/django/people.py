from urllib.parse import unquote

from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.contrib.auth.models import Group


class ByUserId(RemoteUserMiddleware):
    header = "HTTP_REMOTE_ID"  # from the proxy, which lets no client set it

    def process_request(self, request):
        super().process_request(request)
        if self.header in request.META:  # names and groups may change between two requests
            names = set(filter(None, request.META.get("HTTP_REMOTE_GROUPS", "").split(",")))
            if names != set(request.user.groups.values_list("name", flat=True)):
                request.user.groups.set(Group.objects.get_or_create(name=name)[0] for name in names)


class ProxyBackend(RemoteUserBackend):
    def configure_user(self, request, user, created=True):
        user.first_name = unquote(request.META["HTTP_REMOTE_NAME"])
        user.save()
        return user
