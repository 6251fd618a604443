"""A vendor that costs little: it answers every question at once, and the first `pending` about a job with In-Queue."""

import asyncio
import json
import multiprocessing
from contextlib import contextmanager
from typing import Any, Iterator

STATUS = {
    "TaskType": "Activity Create",
    "StatusReason": "",
    "CurrentStep": None,
    "LastStep": "Create activity",
    "RequestBody": json.dumps({"RelatedProspectId": "b8e49bf4-3b56-49e0-a339-4cc5832d0e34", "ActivityEvent": 201, "ActivityNote": "Visited the stand. " * 20}),
    "ResponseMessage": json.dumps({"Status": "Success", "Message": {"Id": "0c5e7c02-8f0e-4c1b-9a57-4f1f6d0b7a11"}}),
}


def answer(request_id: str, state: str = "Success") -> str:
    return json.dumps({"RequestId": request_id, "TaskStatus": {**STATUS, "Status": state}})


@contextmanager
def running(pending: int = 0) -> Iterator[str]:
    """Its address, while it runs in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, pending), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def serve(port: Any, pending: int) -> None:
    asked: dict[str, int] = {}

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            query = data.partition(b"?")[2].partition(b" ")[0].decode()
            request_id = query.partition("equestId=")[2] or query.partition("equestID=")[2]
            count = asked[request_id] = asked.get(request_id, 0) + 1
            body = answer(request_id, "Success" if count > pending else "In-Queue").encode()
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            self.transport.write(head % len(body) + body)

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())
