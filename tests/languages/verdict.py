"""Asks the status of every `operation request_id` line on standard input, and prints one JSON object for each."""

import json
import sys
from typing import Any, Optional

import activity_status

FIELDS = [
    "outcome", "state", "task_type", "reason", "current_step", "last_step", "request_body", "message",
    "created_id", "related_id", "raw",
]


def text(value: object) -> Optional[str]:
    return None if value is None else str(getattr(value, "value", value))


def main() -> None:
    client = activity_status.Client.from_env(max_attempts=1, quota="1000/0.1s")
    for line in sys.stdin:
        operation, request_id = line.split()
        record: dict[str, Any] = {"request_id": request_id}
        try:
            status = client.status(request_id, operation=operation)
        except activity_status.ActivityStatusError as error:
            record["error"] = {
                "kind": error.kind,
                "http_status": error.http_status or 0,
                "resend": text(error.resend),
                "vendor_type": error.vendor_type,
                "vendor_message": error.vendor_message,
            }
            record["json"] = error.to_json()
        else:
            record["status"] = {field: text(getattr(status, field)) for field in FIELDS}
            record["json"] = status.to_json()
        print(json.dumps(record))


main()
