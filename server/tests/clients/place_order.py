"""Places an order with the client that openapi-python-client made, and reads it as the guest who placed it."""

import os
import uuid

from tradepost_client import AuthenticatedClient, Client
from tradepost_client.api.catalog import list_products
from tradepost_client.api.orders import get_order, list_orders, place_order
from tradepost_client.models import OrderPaymentStatus, OrderStatus, PaymentToken, PlaceOrder, ProblemBody, WantedLine

url, admin_token = os.environ["SHOP_URL"], os.environ["SHOP_ADMIN_TOKEN"]
guest = Client(base_url=url, raise_on_unexpected_status=True)

[laptop] = list_products.sync(client=guest, q="Laptop", limit=100).items


def wanted(quantity):
    lines = [WantedLine(product_id=laptop.product_id, quantity=quantity)]
    return PlaceOrder(lines=lines, email="ada@example.com", payment=PaymentToken(token="tok_ok"))


key = str(uuid.uuid4())
placed = place_order.sync(client=guest, body=wanted(1), idempotency_key=key)
repeated = place_order.sync_detailed(client=guest, body=wanted(1), idempotency_key=key)
assert repeated.parsed.order_id == placed.order_id, repeated
assert repeated.headers["idempotency-replayed"] == "true", repeated

refused = place_order.sync_detailed(client=guest, body=wanted(0))
assert isinstance(refused.parsed, ProblemBody), refused
assert (refused.status_code, refused.parsed.code) == (422, "invalid_body"), refused
assert refused.parsed.errors[0].field == "lines[0].quantity", refused

holder = AuthenticatedClient(base_url=url, token=placed.access_token, prefix="", auth_header_name="X-Order-Token")
order = get_order.sync(id=placed.order_id, client=holder)
assert order.total.amount == laptop.price.amount, order
assert isinstance(order.status, OrderStatus) and isinstance(order.payment.status, OrderPaymentStatus), order

admin = AuthenticatedClient(base_url=url, token=admin_token)
assert placed.order_id in [order.order_id for order in list_orders.sync(client=admin).items]
print(f"order {placed.number}")
