"""The CPU time of status calls: calls.py CLIENT THREAD CALLS REQUEST_ID

CLIENT is one of those below, THREAD `main` or `other`. The account is in the environment, as for every program. It prints
the microseconds of CPU time that one call took, those of all threads of this process.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable

URL = os.environ.get("ACTIVITY_STATUS_BASE_URL", "")
KEY = os.environ.get("ACTIVITY_STATUS_API_KEY", "")
PATH = "/activity/create/status"
WARM_UP = 20


def ours() -> Callable[[str], object]:
    from activity_status import Client

    # The slots of the vendor's quota, in a window so short that they are always free.
    return Client.from_env(quota=(25, 0.001)).status


def requests_get() -> Callable[[str], object]:
    import requests

    return lambda request_id: requests.get(
        URL + PATH, params={"requestId": request_id}, headers={"x-api-key": KEY}, timeout=30
    ).json()


def requests_session() -> Callable[[str], object]:
    import requests

    session = requests.Session()
    return lambda request_id: session.get(
        URL + PATH, params={"requestId": request_id}, headers={"x-api-key": KEY}, timeout=30
    ).json()


def http_client() -> Callable[[str], object]:
    from http.client import HTTPConnection

    connection = HTTPConnection(URL.split("//")[1], timeout=30)

    def ask(request_id: str) -> object:
        connection.request("GET", f"{PATH}?requestId={request_id}", headers={"x-api-key": KEY})
        return json.loads(connection.getresponse().read())

    return ask


def bare_socket() -> Callable[[str], object]:
    """What the kernel takes for itself: a request as it stands, and an answer that nobody reads."""
    import socket

    host, port = URL.split("//")[1].split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"GET {PATH}?requestId=%s HTTP/1.1\r\nhost: {host}\r\nx-api-key: {KEY}\r\n\r\n"

    def ask(request_id: str) -> object:
        connection.send((head % request_id).encode())
        return connection.recv(65536)

    return ask


CLIENTS = {
    "ours": ours,
    "requests.get": requests_get,
    "requests.Session": requests_session,
    "http.client": http_client,
    "bare socket": bare_socket,
}


def measure(client: str, calls: int, request_id: str) -> None:
    ask = CLIENTS[client]()
    for _ in range(WARM_UP):
        ask(request_id)
    before = time.process_time()
    for _ in range(calls):
        ask(request_id)
    print((time.process_time() - before) / calls * 1e6)


if __name__ == "__main__":
    client, thread, calls, request_id = sys.argv[1:]
    if thread == "main":
        measure(client, int(calls), request_id)
    else:
        other = threading.Thread(target=measure, args=(client, int(calls), request_id))
        other.start()
        other.join()
