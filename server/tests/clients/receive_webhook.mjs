// Receives webhooks of a shop, and checks their signatures with the library of Standard Webhooks.

import assert from "node:assert";
import { once } from "node:events";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const waiting = [];
const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  response.writeHead(204).end();
  waiting.shift()({ body: Buffer.concat(chunks).toString(), headers: request.headers });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

async function ask(path, body) {
  const headers = { authorization: `Bearer ${process.env.SHOP_ADMIN_TOKEN}`, "content-type": "application/json" };
  const response = await fetch(process.env.SHOP_URL + path, { method: "POST", headers, body: JSON.stringify(body) });
  assert(response.ok, `${path}: ${response.status}`);
  return await response.json();
}

async function messageOf(webhookId) {
  const message = new Promise((resolve) => waiting.push(resolve));
  const { event_id } = await ask(`/v1/webhooks/${webhookId}/test`);
  const { body, headers } = await message;
  assert.equal(headers["webhook-id"], event_id);
  return { body, headers };
}

const url = `http://127.0.0.1:${server.address().port}/hook`;
const made = await ask("/v1/webhooks", { url, event_types: ["orders.*"] });
const first = await messageOf(made.webhook_id);
const event = new Webhook(made.secret).verify(first.body, first.headers);
assert.equal(event.type, "webhooks.test.v1");
assert.throws(() => new Webhook(made.secret).verify(first.body.replace("1.0", "1.1"), first.headers));

const rotated = await ask(`/v1/webhooks/${made.webhook_id}/rotate-secret`);
const second = await messageOf(made.webhook_id);
for (const secret of [made.secret, rotated.secret]) new Webhook(secret).verify(second.body, second.headers);
console.log("verified", second.headers["webhook-id"]);
process.exit(0);
