#!/usr/bin/python3
"""Asks a server for a page until it was answered COUNT times, from ten clients at once, and ends with 1 unless each
request was answered. Half of the clients open a connection for each request; the others keep theirs, and send a
request again whose connection was closed between requests (RFC 9112, 9.3.1). ask.py HOST:PORT COUNT
"""

import http.client
import sys
import threading

CLIENTS = 10
PATIENCE = 60

answered, again, lost = 0, 0, []
lock = threading.Lock()


def ask(connection, is_old):
    """Whether it was answered, and not closed between requests."""
    try:
        connection.request("GET", "/login")
        response = connection.getresponse()
    except http.client.RemoteDisconnected:
        if not is_old:
            raise
        return False
    response.read()
    if response.status != 200:
        raise http.client.HTTPException(f"answered with {response.status}")
    return True


def is_enough(count, is_kept, address):
    """One request. Whether all were made, or one was lost."""
    global answered, again
    connection = address.get("kept") or http.client.HTTPConnection(address["at"], timeout=PATIENCE)
    try:
        is_answered = ask(connection, connection.sock is not None)
    except (OSError, http.client.HTTPException) as cause:
        with lock:
            lost.append(repr(cause))
        return True
    if not is_kept or not is_answered:
        connection.close()
    address["kept"] = connection if is_kept and is_answered else None
    with lock:
        answered += is_answered
        again += not is_answered
        return answered >= count or bool(lost)


def client(at, count, is_kept):
    address = {"at": at}
    while not is_enough(count, is_kept, address):
        pass


at, count = sys.argv[1], int(sys.argv[2])
clients = [threading.Thread(target=client, args=(at, count, it % 2 == 0)) for it in range(CLIENTS)]
for it in clients:
    it.start()
for it in clients:
    it.join()
print(f"{answered} answered, {again} of them sent again, {len(lost)} lost {' '.join(lost)}")
sys.exit(bool(lost))
