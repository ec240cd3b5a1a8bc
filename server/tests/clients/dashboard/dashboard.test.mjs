// The dashboard in a browser: each page in light, dark and at 360 px, without console errors, requests elsewhere, overlaps
// or violations that axe-core finds; journeys by keyboard; a stream that breaks; nine tabs.
//
// BASE_URL       the address of a shop with the demo's data, as http://127.0.0.1:8080
// SIGN_IN_TOKEN  its admin token
// CHROMIUM       the browser, /usr/bin/chromium if not set
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const BASE = process.env.BASE_URL;
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const SETTLE_MS = 500;
const RESIZE_MS = 150;
const SCREENS = { '360 px': { width: 360, height: 740 }, '200 % zoom': { width: 640, height: 400 }, '4K': { width: 3840, height: 2160 } };
const BYTES_MAX = 120_000;
const REQUESTS_MAX = 15;

let browser;
let state;
let pages;

before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const context = await browser.newContext();
  const page = await context.newPage();
  await signIn(page);
  state = await context.storageState();
  pages = await findPages(page);
  await context.close();
});

after(() => browser?.close());

async function signIn(page) {
  await page.goto(`${BASE}/ui/sign-in`);
  await page.getByLabel('Admin token').fill(process.env.SIGN_IN_TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForSelector('.bar');
}

/** Finds one address of each page with what the shop has. */
async function findPages(page) {
  const ask = (path) => page.evaluate((address) => fetch(`/ui/api${address}`).then((answer) => (answer.ok ? answer.json() : { items: [] })), path);
  const first = async (path) => (await ask(path)).items[0];
  const order = (await first('/v1/orders?status=delivered')) ?? (await first('/v1/orders?status=paid')) ?? (await first('/v1/orders'));
  const event = await first(`/v1/events?subject=${order?.order_id}`);
  const letter = await first('/v1/dead-letters');
  const mail = await first('/v1/mail');
  const found = {
    flow: '/ui/', table: '/ui/?view=table', panel: '/ui/?edge=inventory~orders', bundle: '/ui/?edge=*~analytics',
    orders: '/ui/orders', events: '/ui/events', 'dead letters': '/ui/dlq', services: '/ui/services', service: '/ui/services/orders', mails: '/ui/mail', try: '/ui/try',
  };
  if (order) for (const view of ['story', 'waterfall', 'causes', 'events']) found[`order, ${view}`] = `/ui/orders/${order.order_id}?view=${view}`;
  if (event) found.event = `/ui/events/${event.event_id}`;
  if (letter) { found['dead letter'] = `/ui/dlq/${letter.dead_letter_id}`; found['a group'] = `/ui/dlq?consumer=${letter.consumer}`; }
  if (mail) found.mail = `/ui/mail/${mail.mail_id}`;
  return found;
}

/** Opens a page, and notes what must not happen. */
async function open(options = {}) {
  const context = await browser.newContext({ storageState: state, viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on('console', (message) => {
    // A mail's script that the sandbox refuses is reported by the browser, and is what is wanted.
    if (message.type() === 'error' && !/Blocked script execution/.test(message.text())) faults.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => { faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', (request) => { if (!request.url().startsWith(BASE) && !request.url().startsWith('blob:')) faults.push(`elsewhere: ${request.url()}`); });
  return { context, page, faults };
}

async function show(page, path) {
  await page.goto(BASE + path);
  await page.waitForSelector('main h1');
  await page.waitForTimeout(SETTLE_MS);
}

async function axe(page, only) {
  await page.addScriptTag({ path: AXE });
  return page.evaluate(async (rules) => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'], ...(rules && { runOnly: rules }) });
    return violations.map((it) => `${it.id}: ${it.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`);
  }, only);
}

describe('each page', () => {
  // Colours are all that the dark form changes.
  for (const [scheme, only] of [['light', null], ['dark', { type: 'rule', values: ['color-contrast'] }]]) {
    test(`has no violation, error or request elsewhere in ${scheme}`, async () => {
      const { context, page, faults } = await open({ colorScheme: scheme, bypassCSP: true });
      const found = [];
      for (const [name, path] of Object.entries(pages)) {
        await show(page, path);
        for (const violation of await axe(page, only)) found.push(`${name}: ${violation}`);
      }
      await context.close();
      assert.deepEqual(found, []);
      assert.deepEqual(faults, []);
    });
  }

  test('works under its Content-Security-Policy with reduced motion, fits every screen, and has targets of 24 px', async () => {
    const { context, page, faults } = await open({ reducedMotion: 'reduce' });
    const found = [];
    for (const [name, path] of Object.entries(pages)) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await show(page, path);
      if (await page.evaluate(() => document.getAnimations().some((it) => it.playState === 'running'))) found.push(`${name} is animated`);
      for (const target of await page.evaluate(smallTargets)) found.push(`${name}: ${target}`);
      for (const [screen, size] of Object.entries(SCREENS)) {
        await page.setViewportSize(size);
        await page.waitForTimeout(RESIZE_MS);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        if (width > size.width) found.push(`${name} needs ${width} px at ${screen}`);
      }
    }
    const answer = await page.request.get(`${BASE}/ui/`);
    assert.match(answer.headers()['content-security-policy'], /^default-src 'self'(;|$)/);
    await context.close();
    assert.deepEqual(found, []);
    assert.deepEqual(faults, []);
  });
});

/** Controls that are smaller than 24 px, in the page. A checkbox has the row around it. */
function smallTargets() {
  return [...document.querySelectorAll('button, select, input')]
    .map((element) => ({ element, box: element.getBoundingClientRect() }))
    .filter(({ element, box }) => box.width > 0 && Math.min(box.width, box.height) < 24 && !element.closest('label') && element.type !== 'checkbox')
    .map(({ element, box }) => `${element.outerHTML.slice(0, 80)} ${Math.round(box.width)}×${Math.round(box.height)}`);
}

describe('the flow map', () => {
  test('has no two boxes or labels that overlap', async () => {
    const { context, page } = await open();
    await show(page, '/ui/');
    await page.waitForSelector('[data-box]');
    assert.deepEqual(await overlaps(page), []);
    await context.close();
  });

  test('has none at any number of services', async () => {
    const { context, page } = await open();
    await show(page, '/ui/');
    const found = await page.evaluate(async () => {
      const { placeBoxes, connector, lineBetween, otherLabel, overlap, CORE, ON_RAIL, hasLine } = await import('/ui/lib/positions.js');
      const clashes = [];
      for (const extra of [0, 1, 4, 5, 9, 40]) {
        const names = [...Object.keys(CORE), ...ON_RAIL, ...Array.from({ length: extra }, (_, index) => `own-${String(index).padStart(2, '0')}`)];
        const { boxes, width, height } = placeBoxes(names);
        const rects = boxes.map((box) => [box.service, box.rect]);
        for (const box of boxes.filter((it) => it.kind !== 'core')) rects.push([`label ${box.service}`, connector(box, 2).label]);
        const core = Object.keys(CORE);
        for (const a of core) for (const b of core) if (a < b && hasLine(a, b)) rects.push([`${a}~${b}`, lineBetween(a, b, 2).label]);
        rects.push(['others', otherLabel()]);
        for (const [index, [name, rect]] of rects.entries()) {
          if (rect.x < 0 || rect.y < 0 || rect.x + rect.width > width || rect.y + rect.height > height) clashes.push(`${extra}: ${name} is outside`);
          for (const [other, its] of rects.slice(index + 1)) if (overlap(rect, its)) clashes.push(`${extra}: ${name} × ${other}`);
        }
      }
      return clashes;
    });
    await context.close();
    assert.deepEqual(found, []);
  });

  test('keeps its texts inside their boxes', async () => {
    const { context, page } = await open();
    await show(page, '/ui/');
    const outside = await page.evaluate(() => [...document.querySelectorAll('.flow-map a')].flatMap((link) => {
      const box = link.querySelector('[data-box]').getBoundingClientRect();
      return [...link.querySelectorAll('text')].filter((text) => {
        const it = text.getBoundingClientRect();
        return it.left < box.left - 1 || it.right > box.right + 1 || it.top < box.top - 2 || it.bottom > box.bottom + 2;
      }).map((text) => text.textContent);
    }));
    await context.close();
    assert.deepEqual(outside, []);
  });

  test('shows the same numbers as a table that sorts', async () => {
    const { context, page } = await open();
    await show(page, '/ui/?view=table');
    await page.getByRole('button', { name: 'From' }).click();
    assert.match(page.url(), /sort=from/);
    assert.ok(await page.locator('th[aria-sort]').count());
    assert.ok(await page.locator('table.edges tbody tr').count() > 5);
    await context.close();
  });
});

async function overlaps(page) {
  return page.evaluate(() => {
    const rects = [...document.querySelectorAll('[data-box]')].map((element) => [element.dataset.box, element.getBoundingClientRect()]);
    const found = [];
    rects.forEach(([name, a], index) => rects.slice(index + 1).forEach(([other, b]) => {
      if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) found.push(`${name} × ${other}`);
    }));
    return found;
  });
}

describe('budgets', () => {
  test('the first screen is small and soon there', async () => {
    const { context, page } = await open();
    await show(page, '/ui/');
    await page.reload();
    await page.waitForSelector('[data-box]');
    await page.waitForTimeout(SETTLE_MS);
    const files = await page.evaluate(() => performance.getEntriesByType('resource').map((it) => new URL(it.name).pathname).filter((path) => !path.startsWith('/ui/api/') && path !== '/ui/session'));
    const { gzipSync } = await import('node:zlib');
    let bytes = 0;
    for (const path of new Set(['/ui/', ...files, '/ui/live-worker.js'])) bytes += gzipSync(Buffer.from(await (await page.request.get(BASE + path)).body()), { level: 6 }).length;
    const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
    console.log(`# first screen: ${new Set(files).size + 1} files, ${bytes} bytes gzipped, first contentful paint ${Math.round(paint)} ms`);
    assert.ok(bytes <= BYTES_MAX, `${bytes} bytes`);
    assert.ok(new Set(files).size + 1 <= REQUESTS_MAX, files.join(' '));
    await context.close();
  });

  test('memory is bounded at four snapshots a second', async () => {
    const { context, page } = await open();
    await show(page, '/ui/');
    const session = await context.newCDPSession(page);
    await session.send('Performance.enable');
    const busy = async () => Object.fromEntries((await session.send('Performance.getMetrics')).metrics.map((it) => [it.name, it.value]));
    const start = await busy();
    await page.waitForTimeout(6000);
    const end = await busy();
    const share = (end.TaskDuration - start.TaskDuration) / 6;
    console.log(`# main thread: ${(share * 100).toFixed(1)} %, heap ${(end.JSHeapUsedSize / 1e6).toFixed(1)} MB`);
    await context.close();
    assert.ok(end.JSHeapUsedSize < 40e6);
  });
});

describe('bad input', () => {
  const wrong = {
    'an unknown page': ['/ui/no/such/page', /No such page/], 'an unknown order': ['/ui/orders/00000000-0000-7000-8000-000000000000', /no such thing/i], 'an order by no number': ['/ui/orders/%3Cscript%3E', /.+/],
    'an unknown event': ['/ui/events/00000000-0000-7000-8000-000000000000', /no such thing/i], 'an unknown dead letter': ['/ui/dlq/00000000-0000-7000-8000-000000000000', /no such thing/i],
    'a filter without such a value': ['/ui/orders?status=purple', /filter|malformed/i], 'an unknown service': ['/ui/services/nobody', /no service nobody/], 'an unknown mail': ['/ui/mail/00000000-0000-7000-8000-000000000000', /no such thing/i],
    'a malformed cursor': ['/ui/orders?cursor=%00%FF', /.+/], 'a malformed address': ['/ui/orders/%E0%A4%A', /.+/], 'an unknown edge': ['/ui/?edge=a~b', /no events between/], 'a view that is none': ['/ui/?view=nonsense', /Flow/],
  };
  for (const [name, [path, text]] of Object.entries(wrong)) {
    test(`${name} gets a page that says so`, async () => {
      const { context, page } = await open();
      await page.goto(BASE + path);
      await page.waitForSelector('main h1, main h2, .problem');
      await page.waitForTimeout(400);
      assert.match(await page.locator('main').innerText(), text);
      await context.close();
    });
  }

  test('hostile text stays text', async () => {
    const { context, page, faults } = await open();
    for (const path of Object.values(pages)) await show(page, path);
    assert.equal(await page.locator('main img[src=x], main script').count(), 0);
    await context.close();
    assert.deepEqual(faults, []);
  });

  test('without a session the sign-in page keeps the wanted address', async () => {
    const { context, page } = await open({ storageState: undefined });
    await page.goto(`${BASE}/ui/orders?status=paid`);
    await page.waitForURL(/sign-in/);
    await page.getByLabel('Admin token').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('These credentials are wrong').waitFor();
    await context.close();
  });
});

describe('journeys by keyboard', () => {
  test('from the start to a replayed dead letter', async (t) => {
    if (!pages['dead letter']) return t.skip('there is no dead letter');
    const { context, page, faults } = await open();
    await show(page, '/ui/');
    await page.keyboard.press('g');
    await page.keyboard.press('d');
    await page.waitForURL(/\/ui\/dlq$/);
    await page.waitForSelector('[data-row]');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/group=/);
    await page.waitForSelector('[data-row]');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/ui\/dlq\/[^/]+$/);
    await page.getByRole('button', { name: 'Replay', exact: true }).waitFor();
    await tabTo(page, 'Replay');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Start');
    await page.keyboard.press('Enter');
    await page.locator('[data-report=done]').waitFor({ timeout: 10_000 });
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/ui\/dlq$/);
    await context.close();
    assert.deepEqual(faults, []);
    return undefined;
  });

  test('from a stuck order over why to the dead letter of its cause', async (t) => {
    const { context, page, faults } = await open();
    await show(page, '/ui/');
    const letters = await page.evaluate(() => fetch('/ui/api/v1/dead-letters?limit=100').then((answer) => answer.json()));
    let order;
    for (const it of letters.items.slice(0, 20)) {
      const story = await page.evaluate((id) => fetch(`/ui/api/v1/orders/${id}/events`).then((answer) => (answer.ok ? answer.json() : { items: [] })), it.key);
      if (story.items.some((event) => event.deliveries.some((delivery) => delivery.status === 'parked'))) { order = it.key; break; }
    }
    if (!order) { await context.close(); return t.skip('no order has a dead letter'); }
    await show(page, `/ui/orders/${order}`);
    await page.getByRole('link', { name: /^Repair / }).first().click();
    await page.locator('[data-row]').first().click();
    await page.getByRole('button', { name: 'Replay', exact: true }).waitFor();
    await context.close();
    assert.deepEqual(faults, []);
    return undefined;
  });

  test('the palette finds a page and an order', async () => {
    const { context, page } = await open();
    await show(page, '/ui/');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').waitFor();
    await page.keyboard.type('Services');
    await page.keyboard.press('Enter');
    await page.waitForURL(/services/);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.keyboard.press('g');
    await page.keyboard.press('o');
    await page.waitForURL(/orders/);
    await page.waitForSelector('[data-search]');
    await page.keyboard.press('/');
    assert.ok(await page.evaluate(() => document.activeElement.matches('[data-search]')));
    await context.close();
  });

  test('space pauses and resumes', async () => {
    const { context, page } = await open();
    await show(page, '/ui/');
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Paused' }).waitFor();
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Live' }).waitFor();
    await context.close();
  });
});

async function tabTo(page, name) {
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((wanted) => document.activeElement.textContent.trim() === wanted && document.activeElement.tagName === 'BUTTON', name)) return;
  }
  assert.fail(`${name} is not reached by the Tab key`);
}

describe('live values', () => {
  test('nine tabs of one browser all load', async () => {
    const { context } = await open();
    const tabs = [];
    for (let index = 0; index < 9; index += 1) {
      const page = await context.newPage();
      await page.goto(`${BASE}/ui/`);
      tabs.push(page);
    }
    for (const page of tabs) await page.waitForSelector('[data-box]', { timeout: 10_000 });
    await context.close();
  });

  test('a stream that breaks is said to be stale, and resumes', async () => {
    const { context, page } = await open();
    // Without a worker the page reads the stream itself, where it can be cut.
    await context.addInitScript(() => { delete globalThis.SharedWorker; });
    await show(page, '/ui/');
    const snapshot = await page.evaluate(() => fetch('/ui/api/v1/flow').then((answer) => answer.text()));
    const ended = { status: 200, contentType: 'text/event-stream', body: `event: flow\ndata: ${snapshot}\n\n` };
    let streams = 0;
    await page.route('**/v1/flow/live*', (route) => {
      streams += 1;
      return streams === 1 ? route.fulfill(ended) : route.abort();
    });
    await page.reload();
    await page.getByRole('button', { name: 'Stale since' }).waitFor({ timeout: 20_000 });
    assert.equal(await page.locator('.flow.stale').count(), 1);
    await page.unroute('**/v1/flow/live*');
    await page.getByRole('button', { name: 'Live' }).waitFor({ timeout: 30_000 });
    assert.equal(await page.locator('.flow.stale').count(), 0);
    await context.close();
  });

  test('events come, pause, are counted, and are exported', async () => {
    const { context, page, faults } = await open();
    await show(page, '/ui/events');
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    assert.match(page.url(), /tail=off/);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export NDJSON' }).click()]);
    assert.match(download.suggestedFilename(), /\.ndjson$/);
    await context.close();
    assert.deepEqual(faults, []);
  });
});
