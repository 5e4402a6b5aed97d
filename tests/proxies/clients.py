"""A client of Python's standard library, or requests, behind the proxy. Run by clients.sh.

clients.py urllib|requests URL USER PASSWORD CA prints the body of the response. `MISSING`, and status 3: the library
is not installed. Every host is on this machine.
"""

import socket
import sys

library, url, user, password, ca = sys.argv[1:]
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda _host, *rest, **named: resolve("127.0.0.1", *rest, **named)

if library == "urllib":
    import ssl
    import urllib.request

    # It sends no password before it is challenged for one.
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, url, user, password)
    opener = urllib.request.build_opener(
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)),
    )
    sys.stdout.write(opener.open(url, timeout=30).read().decode())
else:
    try:
        import requests
    except ImportError:
        print("MISSING")
        sys.exit(3)
    # Without an `auth`, it looks for the password in ~/.netrc.
    response = requests.get(url, auth=(user, password), verify=ca, timeout=30)
    response.raise_for_status()
    sys.stdout.write(response.text)
