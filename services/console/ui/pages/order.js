// One order: why it is where it is, its story in four forms, and what can be done.
import { html, useEffect } from '../vendor/vendor.js';
import { get, noteMissing, orElse, Problem, useLoad } from '../lib/api.js';
import { isPaused } from '../lib/live.js';
import { Copy, Data, Loaded, Page, Status, Time, useModule, Views } from '../lib/ui.js';
import { Copies } from '../lib/commands.js';
import { Sentences } from '../lib/story.js';
import { OrderActions } from './order-actions.js';
import { money } from '../lib/format.js';
import { url, useRoute } from '../lib/router.js';
import { t } from '../lib/strings.js';
import '../lib/style.js';

const MOVING_MS = 2000;
const RESTING_MS = 15_000;
const MOVING = ['placed', 'reserved', 'cancelling'];
const VIEWS = {
  waterfall: () => import('../lib/waterfall.js').then((it) => it.Waterfall),
  causes: () => import('../lib/causes.js').then((it) => it.Causes),
  events: () => import('../lib/story.js').then((it) => it.EventList),
};

/** @returns the page at `/ui/orders/ID` */
export default function Order({ id }) {
  const state = useLoad(() => loadOrder(id), [id]);
  useRefresh(state);
  return html`
    <${Loaded} state=${state} rows=${12} title=${t.order.order} back=${["/ui/orders", t.nav.orders]}>${(found) => html`
      <${Page} title=${t.order.title(found.order.number)} note=${html`<${Status} value=${found.order.status} /> <${Data}>${found.order.email}<//> · ${money(found.order.total)} · ${t.order.placed} <${Time} at=${found.order.created_at} />`}
        actions=${html`<${Copies} call=${['GET', `/v1/orders/${found.order.order_id}/events`]} command=${`tradepost orders show ${found.order.number}`} />
          <${Copy} text=${location.href} label=${t.copy.link} />`}>
        <${Why} why=${found.why} order=${found.order} />
        <div class="columns">
          <${Story} found=${found} />
          <${Side} found=${found} reload=${state.reload} />
        </div>
      <//>`}<//>`;
}

/** Loads what several services know of an order. What one of them cannot answer is left out. */
async function loadOrder(id) {
  if (/^\d{1,18}$/.test(id)) return loadByNumber(id);
  const path = `/v1/orders/${encodeURIComponent(id)}`;
  const part = (promise) => promise.catch((problem) => { if (problem.status === 401) throw problem; return null; });
  const order = await get(path);
  const [story, why, payments, shipments, mails] = await Promise.all([
    part(get(`${path}/events`)), part(orElse(get(`${path}/why`), null)),
    part(get('/v1/payments', { order_id: id })), part(get('/v1/shipments', { order_id: id })), part(get('/v1/mail', { order_id: id, limit: 20 })),
  ]);
  noteMissing(story?.missing ?? []);
  return { order, why, items: story?.items ?? [], hasStory: Boolean(story), payments: payments?.items, shipments: shipments?.items, mails: mails?.items };
}

async function loadByNumber(number) {
  const { items } = await get('/v1/orders', { number });
  if (!items.length) throw new Problem({ status: 404, code: 'not_found', detail: t.order.noNumber(number) });
  return loadOrder(items[0].order_id);
}

/** Loads again while the page is visible: often while the order moves, seldom when it rests. */
function useRefresh({ data, reload }) {
  const isMoving = data && (MOVING.includes(data.order.status) || data.items.some((event) => event.deliveries.some((it) => ['pending', 'retrying'].includes(it.status))));
  useEffect(() => {
    if (!data) return undefined;
    const timer = setInterval(() => { if (!document.hidden && !isPaused()) reload(); }, isMoving ? MOVING_MS : RESTING_MS);
    return () => clearInterval(timer);
  }, [data !== null, isMoving]);
}

function Why({ why, order }) {
  if (!why) return null;
  return html`
    <section class="why ${why.healthy ? 'good' : 'bad'}" aria-label=${t.order.why}>
      <header><h2><span aria-hidden="true">${why.healthy ? '✓' : '!'} </span>${why.healthy ? t.order.healthy : t.order.stuck(t.order.causes[why.cause] ?? why.cause)}</h2>
        <span class="no-print"><${Copies} call=${['GET', `/v1/orders/${order.order_id}/why`]} command=${`tradepost orders why ${order.number}`} /></span></header>
      <p><${Data}>${why.sentence}<//></p>
      ${why.evidence?.length > 0 && html`<ul>${why.evidence.map((text) => html`<li><${Data}>${text}<//></li>`)}</ul>`}
      ${why.remedy && html`<p class="command"><code>${why.remedy}</code><${Copy} text=${why.remedy} /></p>`}
    </section>`;
}

function Story({ found }) {
  const { query } = useRoute();
  const View = useModule(VIEWS[query.view] ?? (() => Promise.resolve(Sentences)), query.view ?? 'story');
  return html`
    <section class="card" aria-label=${t.order.story}>
      <header class="card-head"><h2>${t.order.story}</h2>
        <${Views} name="view" label=${t.order.views} options=${[['story', t.order.sentences], ['waterfall', t.order.waterfall], ['causes', t.order.graph], ['events', t.order.events]]} /></header>
      <div class="card-body">
        ${!found.hasStory ? html`<p class="notice warn">${t.order.noStory}</p>`
          : found.items.length === 0 ? html`<p class="note">${t.order.emptyStory}</p>`
          : View && !View.failed && html`<${View} items=${found.items} />`}
      </div>
    </section>`;
}

function Side({ found, reload }) {
  const { order, mails } = found;
  return html`
    <div class="stack">
      <${OrderActions} found=${found} reload=${reload} />
      <section class="card"><header class="card-head"><h2>${t.order.content}</h2></header><div class="card-body">
        <ul class="lines">${order.lines.map((line) => html`<li><span>${line.quantity} × <${Data}>${line.name}<//> <small><${Data}>${line.sku}<//></small></span>
          <span class="num">${money(line.unit_price)}</span></li>`)}
          <li class="sum"><span>${t.order.total}</span><span class="num">${money(order.total)}</span></li></ul>
      </div></section>
      <section class="card"><header class="card-head"><h2>${t.order.details}</h2></header><div class="card-body">
        <dl class="facts">
          <dt>${t.order.payment}</dt><dd><${Status} value=${order.payment.status} />${order.payment.error && html` <${Data}>${order.payment.error}<//>`}</dd>
          ${order.payment.refunded?.amount > 0 && html`<dt>${t.order.refunded}</dt><dd>${money(order.payment.refunded)}</dd>`}
          ${order.reason && html`<dt>${t.order.reason}</dt><dd><${Data}>${t.order.reasons[order.reason] ?? order.reason}<//></dd>`}
          ${order.waiting && html`<dt>${t.order.waits}</dt><dd>${t.order.position(order.waiting.position)}</dd>`}
          ${order.shipments.map((it) => html`<dt>${t.order.shipment}</dt><dd>
            <${Status} value=${it.status} /> ${[it.carrier, it.tracking_number].filter(Boolean).join(' ')}</dd>`)}
          ${order.ship_to && html`<dt>${t.order.shipTo}</dt><dd>
            <${Data}>${[order.ship_to.name, order.ship_to.street, `${order.ship_to.postal_code ?? ''} ${order.ship_to.city}`.trim(), order.ship_to.country].join(', ')}<//></dd>`}
          <dt>${t.order.id}</dt><dd class="mono">${order.order_id}</dd>
        </dl>
      </div></section>
      ${mails?.length > 0 && html`
        <section class="card"><header class="card-head"><h2>${t.nav.mail}</h2></header><div class="card-body">
          <ul class="latest">${mails.map((it) => html`<li><a href=${url(`/mail/${it.mail_id}`)}><${Data}>${it.subject}<//></a> <span class="note">
            <${Status} value=${it.status} /></span></li>`)}</ul>
        </div></section>`}
    </div>`;
}
