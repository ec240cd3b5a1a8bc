"""Receives webhooks of Tradepost: verifies each, drops repetitions, answers 204.

    WEBHOOK_SECRET=whsec_… python3 receiver.py 9001

Needs Python 3.9 or newer and nothing else. A program of your own calls `serve` with a function for the events.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# A message that is older, or from the future by as much, may be one that somebody recorded.
TOLERANCE_S = 5 * 60

# Far more than an event has.
BODY_BYTES_MAX = 1 << 20

# Ids that are remembered. Keep them in your database if a repetition after a restart does harm.
IDS_KEPT = 10_000


def is_genuine(secret, message_id, timestamp, signatures, body, now):
    """True if who knows the secret has signed the message, some minutes ago at most."""
    try:
        sent_at = int(timestamp)
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        return False
    if abs(now - sent_at) > TOLERANCE_S:
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    # There are several while a secret is replaced. Each is compared in the same time, however much of it is right.
    return any([hmac.compare_digest(signature.encode(), expected) for signature in signatures.split(" ")])


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 if an event was handled, now or before; anything else, and the shop sends it again."""

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            return self.answer(411)
        if not 0 <= length <= BODY_BYTES_MAX:
            return self.answer(413)
        body = self.rfile.read(length)
        message_id = self.headers.get("webhook-id", "")
        timestamp = self.headers.get("webhook-timestamp", "")
        signatures = self.headers.get("webhook-signature", "")
        if not is_genuine(self.server.secret, message_id, timestamp, signatures, body, time.time()):
            return self.answer(401)
        # One at a time: two repetitions that arrive together are not both handled.
        with self.server.lock:
            if message_id not in self.server.handled:
                try:
                    self.server.handle_event(message_id, json.loads(body))
                except Exception as error:
                    print(f"{message_id} was not handled: {error}", file=sys.stderr, flush=True)
                    return self.answer(500)
                self.server.handled[message_id] = True
                if len(self.server.handled) > IDS_KEPT:
                    self.server.handled.popitem(last=False)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        # What was not read of a body must not be taken for the next request.
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def log_message(self, *_):
        pass


def serve(handle_event, secret, port):
    """Calls `handle_event(id, event)` once for each event. If that raises, the shop sends the event again."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    server.secret, server.handle_event = secret, handle_event
    server.handled, server.lock = OrderedDict(), threading.Lock()
    print(f"listening on http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()


def print_event(message_id, event):
    print(message_id, event["type"], flush=True)


if __name__ == "__main__":
    serve(print_event, os.environ["WEBHOOK_SECRET"], int(sys.argv[1]))
