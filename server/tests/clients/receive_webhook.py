"""Receives webhooks of a shop, and checks their signatures with the library of Standard Webhooks."""

import json
import os
import queue
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

received = queue.Queue()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        received.put((body, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def ask(path, body=None):
    headers = {"authorization": f"Bearer {os.environ['SHOP_ADMIN_TOKEN']}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{os.environ['SHOP_URL']}{path}", data, headers, method="POST")
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def message_of(webhook_id):
    event_id = ask(f"/v1/webhooks/{webhook_id}/test")["event_id"]
    body, headers = received.get(timeout=20)
    assert headers["webhook-id"] == event_id, headers
    return body, headers


server = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
made = ask("/v1/webhooks", {"url": f"http://127.0.0.1:{server.server_port}/hook", "event_types": ["orders.*"]})

body, headers = message_of(made["webhook_id"])
event = Webhook(made["secret"]).verify(body, headers)
assert event["specversion"] == "1.0" and event["type"] == "webhooks.test.v1", event
try:
    Webhook(made["secret"]).verify(body.replace(b"1.0", b"1.1"), headers)
    raise SystemExit("another body has the same signature")
except WebhookVerificationError:
    pass

rotated = ask(f"/v1/webhooks/{made['webhook_id']}/rotate-secret")
body, headers = message_of(made["webhook_id"])
for secret in (made["secret"], rotated["secret"]):
    Webhook(secret).verify(body, headers)
print("verified", headers["webhook-id"])
