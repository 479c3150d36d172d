"""Somebody who asks a server how it is, again and again, and notes how long the answers take.

    python asker.py 127.0.0.1 8000

It runs in a process of its own, so that only the server can make it wait. It says so once it has begun; once
its input ends, it writes down the longest it waited, in seconds.
"""

import http.client
import sys
import threading
import time

EVERY_SECONDS = 0.005


def main(host: str, port: str) -> None:
    server = http.client.HTTPConnection(host, int(port))
    longest, begun, over = 0.0, False, threading.Event()
    threading.Thread(target=wait_for_end, args=[over], daemon=True).start()
    while not over.wait(EVERY_SECONDS):
        asked = time.monotonic()
        server.request("GET", "/health")
        server.getresponse().read()
        longest = max(longest, time.monotonic() - asked)
        if not begun:
            sys.stdout.write("begun\n")
            sys.stdout.flush()
            longest, begun = 0.0, True
    sys.stdout.write(str(longest))


def wait_for_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


main(*sys.argv[1:])
