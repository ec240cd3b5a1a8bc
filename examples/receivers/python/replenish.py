"""Orders from a supplier when stock runs low, in the place of the shop's own replenishment.

    WEBHOOK_SECRET=whsec_… SHOP_URL=http://127.0.0.1:8080 SHOP_ADMIN_TOKEN=… python3 replenish.py 9001

Register the endpoint for `inventory.stock_low.v1`, and set `auto_replenish` of the suppliers to false.
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

from receiver import serve

SHOP_URL = os.environ["SHOP_URL"]
SHOP_ADMIN_TOKEN = os.environ["SHOP_ADMIN_TOKEN"]

# The shop ends a request earlier.
PATIENCE_S = 20


def replenish(message_id, event):
    """Places a purchase order for a product whose stock is low, at the supplier with the lowest price."""
    if event["type"] != "inventory.stock_low.v1":
        return
    product_id = event["data"]["product_id"]
    offers = [
        (offer["unit_cost"]["amount"], supplier["supplier_id"], offer["order_quantity"])
        for supplier in suppliers()
        for offer in supplier["products"]
        if offer["product_id"] == product_id
    ]
    if not offers:
        print(f"nobody delivers {event['data']['sku']}", flush=True)
        return
    _, supplier_id, quantity = min(offers)
    order = {"supplier_id": supplier_id, "lines": [{"product_id": product_id, "quantity": quantity}]}
    # The event's id is the key: however often the event comes, and if this program is started anew, it is one order.
    placed = ask("POST", "/v1/purchase-orders", order, {"Idempotency-Key": f"stock-low-{message_id}"})
    print(f"ordered {quantity} of {event['data']['sku']}: {placed['purchase_order_id']}", flush=True)


def suppliers():
    """All suppliers, page by page."""
    cursor = None
    while True:
        query = {"limit": 100} if cursor is None else {"limit": 100, "cursor": cursor}
        page = ask("GET", f"/v1/suppliers?{urllib.parse.urlencode(query)}")
        yield from page["items"]
        cursor = page["next"]
        if cursor is None:
            return


def ask(method, path, body=None, headers=None):
    """The shop's answer. A refusal is an error, with the shop's reason."""
    headers = {"Authorization": f"Bearer {SHOP_ADMIN_TOKEN}", "Content-Type": "application/json", **(headers or {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SHOP_URL + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        raise RuntimeError(f"{method} {path}: {refused.code} {refused.read(2000).decode(errors='replace')}") from refused


if __name__ == "__main__":
    serve(replenish, os.environ["WEBHOOK_SECRET"], int(sys.argv[1]))
