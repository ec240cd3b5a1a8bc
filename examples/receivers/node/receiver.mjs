// Receives webhooks of Tradepost: verifies each, drops repetitions, answers 204.
//
//     WEBHOOK_SECRET=whsec_… node receiver.mjs 9001
//
// Needs Node.js 18 or newer and no packages. A program of your own calls `serve` with a function for the events.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

// A message that is older, or from the future by as much, may be one that somebody recorded.
const TOLERANCE_S = 5 * 60;

// Far more than an event has.
const BODY_BYTES_MAX = 1 << 20;

// Ids that are remembered. Keep them in your database if a repetition after a restart does harm.
const IDS_KEPT = 10_000;

/** True if who knows the secret has signed the message, some minutes ago at most. */
export function isGenuine(secret, id, timestamp, signatures, body, nowSeconds) {
  if (!id || !/^\d{1,12}$/.test(timestamp) || Math.abs(nowSeconds - Number(timestamp)) > TOLERANCE_S) {
    return false;
  }
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const digest = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  const expected = Buffer.from(`v1,${digest}`);
  // There are several while a secret is replaced. Each is compared in the same time, however much of it is right.
  const isExpected = (signature) => signature.length === expected.length && timingSafeEqual(signature, expected);
  return signatures.split(" ").map((signature) => isExpected(Buffer.from(signature))).some(Boolean);
}

/** Calls `handleEvent(id, event)` once for each event. If that throws, the shop sends the event again. */
export function serve(handleEvent, secret, port) {
  // Ids of events that were handled or are being handled, with the end of that: a repetition waits for it.
  const handled = new Map();

  async function receive(request) {
    const chunks = [];
    let bytes = 0;
    for await (const chunk of request) {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) return 413;
      chunks.push(chunk);
    }
    const body = Buffer.concat(chunks);
    const header = (name) => request.headers[name] ?? "";
    const id = header("webhook-id");
    if (!isGenuine(secret, id, header("webhook-timestamp"), header("webhook-signature"), body, Date.now() / 1000)) {
      return 401;
    }
    if (!handled.has(id)) {
      handled.set(id, (async () => handleEvent(id, JSON.parse(body)))());
      if (handled.size > IDS_KEPT) handled.delete(handled.keys().next().value);
    }
    try {
      await handled.get(id);
      return 204;
    } catch (error) {
      handled.delete(id);
      console.error(`${id} was not handled: ${error}`);
      return 500;
    }
  }

  const server = createServer(async (request, response) => {
    const status = request.method === "POST" ? await receive(request).catch(() => 400) : 405;
    response.writeHead(status, { connection: "close" }).end();
  });
  server.listen(port, "127.0.0.1", () => console.error(`listening on http://127.0.0.1:${server.address().port}`));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  serve((id, event) => console.log(id, event.type), process.env.WEBHOOK_SECRET, Number(process.argv[2]));
}
