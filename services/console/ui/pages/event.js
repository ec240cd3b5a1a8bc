// One event: its data, headers, cause and effects, and its deliveries.
import { html } from '../vendor/vendor.js';
import { get, useLoad } from '../lib/api.js';
import { Copy, Data, Loaded, Page, Time } from '../lib/ui.js';
import { Copies } from '../lib/commands.js';
import { DeliveryTable } from '../lib/story.js';
import { Json } from '../lib/json.js';
import { eventName, exact, shortId } from '../lib/format.js';
import { url } from '../lib/router.js';
import { t } from '../lib/strings.js';
import '../lib/style.js';

const RELATED_MAX = 100;

/** @returns the page at `/ui/events/ID` */
export default function Event({ id }) {
  const state = useLoad(() => loadEvent(id), [id]);
  return html`
    <${Loaded} state=${state} rows=${12} title=${t.event.event} back=${["/ui/events", t.nav.events]}>${({ event, effects, cause }) => html`
      <${Page} title=${eventName(event.type)} note=${html`${t.event.by(event.service)} · <${Time} at=${event.time} />`}
        actions=${html`<${Copies} call=${['GET', `/v1/events/${event.event_id}`]} command=${`tradepost events show ${event.event_id}`} />
          <${Copy} text=${location.href} label=${t.copy.link} />`}>
        <div class="columns">
          <div class="stack">
            <section class="card"><header class="card-head"><h2>${t.event.deliveries}</h2></header><${DeliveryTable} event=${event} /></section>
            <section class="card"><header class="card-head"><h2>${t.event.data}</h2></header><div class="card-body">
              <${Json} value=${event.data} name=${`${event.event_id}.json`} /></div></section>
          </div>
          <div class="stack">
            <${Headers} event=${event} />
            <${Related} event=${event} cause=${cause} effects=${effects} />
          </div>
        </div>
      <//>`}<//>`;
}

async function loadEvent(id) {
  const event = await get(`/v1/events/${encodeURIComponent(id)}`);
  const related = await get('/v1/events', { subject: event.subject, limit: RELATED_MAX }).catch(() => ({ items: [] }));
  return {
    event: { deliveries: [], ...event },
    cause: related.items.find((it) => it.event_id === event.caused_by) ?? null,
    effects: related.items.filter((it) => it.caused_by === event.event_id && it.event_id !== event.event_id).reverse(),
  };
}

function Headers({ event }) {
  const isOrder = /^(orders|inventory\.stock|payments|shipping)/.test(event.type) && event.subject === event.correlation_id;
  return html`
    <section class="card"><header class="card-head"><h2>${t.event.headers}</h2></header><div class="card-body">
      <dl class="facts">
        <dt>${t.event.id}</dt><dd class="mono">${event.event_id}</dd>
        <dt>${t.event.type}</dt><dd class="mono"><a href=${url('/events', { type: event.type })}>${event.type}</a></dd>
        <dt>${t.event.time}</dt><dd>${exact(event.time)}</dd>
        <dt>${t.event.service}</dt><dd><a href=${url(`/services/${encodeURIComponent(event.service)}`)}>${event.service}</a></dd>
        <dt>${t.event.subject}</dt><dd class="mono"><a href=${url('/events', { subject: event.subject })}>${event.subject}</a></dd>
        ${event.sequence != null && html`<dt>${t.event.sequence}</dt><dd>${event.sequence}</dd>`}
        ${event.lane && html`<dt>${t.event.lane}</dt><dd>${event.lane}</dd>`}
        <dt>${t.event.correlation}</dt><dd class="mono">${event.correlation_id}</dd>
      </dl>
      ${isOrder && html`<p><a href=${url(`/orders/${event.subject}`)}>${t.event.openOrder}</a></p>`}
    </div></section>`;
}

function Related({ event, cause, effects }) {
  return html`
    <section class="card"><header class="card-head"><h2>${t.event.causes}</h2></header><div class="card-body">
      <h3>${t.event.cause}</h3>
      <ul class="latest">${cause ? html`<${Link} event=${cause} />` : html`<li class="note">${t.event.noCause} <${Data} mono>${shortId(event.caused_by)}<//></li>`}</ul>
      <h3>${t.event.effects}</h3>
      <ul class="latest">${effects.length ? effects.map((it) => html`<${Link} key=${it.event_id} event=${it} />`) : html`<li class="note">${t.event.noEffects}</li>`}</ul>
    </div></section>`;
}

const Link = ({ event }) => html`<li>
  <a href=${url(`/events/${event.event_id}`)} data-row>${eventName(event.type)}</a> <span class="note">${event.service} · <${Time} at=${event.time} /></span></li>`;
