"""A name server on 127.0.0.1:53, which knows every name under example.test as 127.0.0.1, and no other."""

import socket
import struct

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
while True:
    query, client = server.recvfrom(512)
    end = query.index(0, 12) + 5
    question, kind = query[12:end], query[end - 4:end - 2]
    known = b"\x07example\x04test\x00" in question
    found = known and kind == b"\0\x01"
    # Response, recursion available; 3 is NXDOMAIN. The answer names the question, at offset 12.
    flags = 0x8580 if known else 0x8583
    answer = b"\xc0\x0c\0\x01\0\x01" + struct.pack(">IH", 60, 4) + b"\x7f\0\0\x01" if found else b""
    server.sendto(query[:2] + struct.pack(">HHHHH", flags, 1, int(found), 0, 0) + question + answer, client)
