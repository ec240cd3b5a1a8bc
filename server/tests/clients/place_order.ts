// Places an order with a client whose types openapi-typescript made, and reads it as the guest who placed it.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

declare const process: { env: Record<string, string> };

function check(right: boolean, answer: unknown): asserts right {
  if (!right) throw new Error(`not as expected: ${JSON.stringify(answer)}`);
}

const shop = createClient<paths>({ baseUrl: process.env.SHOP_URL });

const products = await shop.GET("/v1/products", { params: { query: { q: "Laptop", limit: 100 } } });
const laptop = products.data?.items[0];
check(laptop !== undefined, products.error);

const wanted = (quantity: number): components["schemas"]["PlaceOrder"] => ({
  lines: [{ product_id: laptop.product_id, quantity }],
  email: "ada@example.com",
  payment: { token: "tok_ok" },
});

const header = { "Idempotency-Key": crypto.randomUUID() };
const placed = await shop.POST("/v1/orders", { params: { header }, body: wanted(1) });
check(placed.data !== undefined, placed.error);
const repeated = await shop.POST("/v1/orders", { params: { header }, body: wanted(1) });
check(repeated.data?.order_id === placed.data.order_id, repeated);

const refused = await shop.POST("/v1/orders", { body: wanted(0) });
check(refused.response.status === 422 && refused.error?.code === "invalid_body", refused.error);
check(refused.error.errors?.[0].field === "lines[0].quantity", refused.error);

const { order_id, access_token } = placed.data;
const order = await shop.GET("/v1/orders/{id}", {
  params: { path: { id: order_id } },
  headers: { "X-Order-Token": access_token },
});
check(order.data?.total.amount === laptop.price.amount, order);
type Paid = "paid" | "cancelling" | "shipped" | "delivered" | "refunded";
const known: ("placed" | "backordered" | "reserved" | Paid | "rejected" | "cancelled")[] = [order.data.status];
check(known.length === 1, order.data);
console.log(`order ${order.data.number}`);
