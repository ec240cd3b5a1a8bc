// Pictures of the dashboard for the documents.
//
// LINK      the address that signs in once, as `tradepost up` prints it
// PICTURES  the folder of the pictures
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const ORDERS = 240;
const PAUSE_MS = 100;
const TOKENS = ['tok_ok', 'tok_ok', 'tok_ok', 'tok_ok', 'tok_declined', 'tok_soft', null];

const base = new URL(process.env.LINK).origin;
mkdirSync(process.env.PICTURES, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: 'light', timezoneId: 'UTC', locale: 'en-GB' });
const page = await context.newPage();
await page.goto(process.env.LINK);
await page.waitForSelector('.bar');

// Requests come from a page of their own: the other one goes from address to address.
const asking = await context.newPage();
await asking.goto(`${base}/ui/try`);
const ask = (path, options) => asking.evaluate(([address, init]) => fetch(`/ui/api${address}`, init).then((answer) => answer.json()), [path, options]);
const products = (await ask('/v1/products?limit=12')).items;
// Stock for all of them, so that the map shows a shop that sells.
for (const { product_id: id } of products) {
  await ask(`/v1/stock/${id}/adjustments`, change({ delta: 500, reason: 'pictures' }));
}

function change(body) {
  return { method: 'POST', headers: { 'content-type': 'application/json', 'x-tradepost-console': '1' }, body: JSON.stringify(body) };
}

async function sell() {
  for (let order = 0; order < ORDERS; order += 1) {
    const token = TOKENS[order % TOKENS.length];
    const lines = [{ product_id: products[order % products.length].product_id, quantity: 1 + (order % 2) }];
    await ask('/v1/orders', change({ lines, email: `customer${order % 9}@example.com`, ...(token && { payment: { token } }) }));
    await new Promise((wake) => setTimeout(wake, PAUSE_MS));
  }
}

async function take(name, path, { fullPage = false } = {}) {
  await page.goto(`${base}${path}`);
  await page.waitForLoadState('load');
  await page.waitForTimeout(2_500);
  await page.screenshot({ path: join(process.env.PICTURES, `${name}.png`), fullPage });
}

const selling = sell();
await page.waitForTimeout(12_000);
await take('flow', '/ui/', { fullPage: true });
await selling;
const [delivered] = (await ask('/v1/orders?status=delivered&limit=1')).items;
const [event] = (await ask(`/v1/events?subject=${delivered.order_id}&limit=1`)).items;
const [mail] = (await ask('/v1/mail?limit=1')).items;
await take('orders', '/ui/orders');
await take('story', `/ui/orders/${delivered.order_id}`);
await take('waterfall', `/ui/orders/${delivered.order_id}?view=waterfall`);
await take('events', '/ui/events');
await take('event', `/ui/events/${event.event_id}`);
await take('dead-letters', '/ui/dlq');
await take('services', '/ui/services/orders');
await take('mail', `/ui/mail/${mail.mail_id}`);
await take('try', '/ui/try');
await browser.close();
