"""A stand-in for an outgoing proxy: it prints the port on which it listens, and then a line for each connection.
Nothing that it is sent is answered."""

import socket

with socket.create_server(("127.0.0.1", 0)) as listener:
    print("port", listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        with client:
            client.settimeout(1)
            try:
                head = client.recv(4096)
            except OSError:
                head = b""
            print("asked", head.partition(b"\r\n")[0].decode("ascii", "replace"), flush=True)
