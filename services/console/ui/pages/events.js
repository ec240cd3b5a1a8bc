// Events of all services: the stored ones, and new ones as they come.
import { html, useEffect, useMemo, useRef, useState } from '../vendor/vendor.js';
import { get, useLoad } from '../lib/api.js';
import { isPaused, subscribe, useLiveStatus } from '../lib/live.js';
import { Data, Empty, Loaded, Page, SelectFilter, Status, TextFilter } from '../lib/ui.js';
import { VirtualRows } from '../lib/table.js';
import { Copies, quoted } from '../lib/commands.js';
import { save } from '../lib/json.js';
import { count, eventName, exact, instant, shortId, stamp } from '../lib/format.js';
import { setQuery, url, useRoute } from '../lib/router.js';
import { t } from '../lib/strings.js';
import '../lib/style.js';

const PAGE = 100;
const HELD_MAX = 10_000;
const ROW_PX = 30;
const DRAW_MS_MIN = 250;
const SERVICES = ['users', 'catalog', 'orders', 'inventory', 'payments', 'shipping', 'suppliers', 'admin', 'webhooks', 'bridge'];

/** @returns the page at `/ui/events` */
export default function Events() {
  const { query } = useRoute();
  const asked = { type: query.type, subject: query.subject };
  const stored = useLoad(() => loadStored(asked), [query.type, query.subject]);
  const [older, setOlder] = useState({ items: [], next: undefined });
  useEffect(() => setOlder({ items: [], next: undefined }), [query.type, query.subject]);
  const tail = useTail(asked);
  useGap(tail.state, stored.reload);
  const all = useMemo(() => merge(tail.items, stored.data?.items ?? [], older.items), [tail.items, stored.data, older.items]);
  const shown = useMemo(() => all.filter(matcher(query, stored.data?.parked)), [all, query.service, query.text, query.outcome, query.from, query.to, stored.data]);
  const next = older.next === undefined ? stored.data?.next : older.next;
  const more = async () => {
    const page = await get('/v1/events', { ...asked, cursor: next, limit: PAGE });
    setOlder({ items: [...older.items, ...page.items], next: page.next ?? null });
  };
  const paused = query.tail === 'off' || tail.globallyPaused;
  return html`
    <${Page} title=${t.nav.events} actions=${html`
      <button type="button" aria-pressed=${paused} onClick=${() => setQuery({ tail: query.tail === 'off' ? null : 'off' })}>${paused ? t.events.resume : t.events.pause}</button>
      ${tail.waiting > 0 && html`<button type="button" class="quiet" onClick=${tail.take}>${t.events.fresh(tail.waiting)}</button>`}
      <button type="button" disabled=${!shown.length} onClick=${() => exportEvents(shown)}>${t.events.export}</button>
      <${Copies} call=${['GET', `/v1/events?${new URLSearchParams(Object.entries({ ...asked, limit: '100' }).filter(([, value]) => value))}`]} command=${command(query)} />`}>
      <${Filters} query=${query} types=${all} />
      <${Loaded} state=${stored} rows=${14}>${() => html`
        <div class="card">
          <p class="list-head note">
            <span>${t.events.shown(shown.length, all.length)}</span>${tail.dropped > 0 && html`<span>${t.events.dropped(tail.dropped)}</span>`}</p>
          ${shown.length === 0 ? html`<${None} query=${query} all=${all.length} />`
            : html`<${VirtualRows} items=${shown} height=${ROW_PX} label=${t.nav.events} onScroll=${tail.scrolled} row=${(event) => html`<${Row} key=${event.event_id} event=${event} parked=${stored.data?.parked} />`} />`}
          ${next && all.length < HELD_MAX && html`<div class="pager"><button type="button" onClick=${more}>${t.events.older}</button></div>`}
        </div>`}<//>
    <//>`;
}

/** Loads the newest events, and which of them are dead letters. */
async function loadStored(asked) {
  const [page, letters] = await Promise.all([get('/v1/events', { ...asked, limit: PAGE }), get('/v1/dead-letters', { limit: 100 }).catch(() => ({ items: [] }))]);
  return { items: page.items, next: page.next ?? null, parked: new Set(letters.items.map((it) => it.event_id)) };
}

/**
 * Follows new events. While paused they are kept aside and counted; the oldest are dropped beyond the bound, and counted.
 */
function useTail(asked) {
  const { query } = useRoute();
  const status = useLiveStatus('tail');
  const [shown, setShown] = useState({ items: [], dropped: 0 });
  const [waiting, setWaiting] = useState(0);
  const aside = useRef([]);
  const isScrolled = useRef(false);
  const isHeld = useRef(() => false);
  // Rows that somebody reads do not move.
  isHeld.current = () => query.tail === 'off' || isPaused() || isScrolled.current;
  const take = () => {
    const fresh = aside.current.reverse();
    aside.current = [];
    setWaiting(0);
    setShown((before) => {
      const items = [...fresh, ...before.items];
      return { items: items.slice(0, HELD_MAX), dropped: before.dropped + Math.max(items.length - HELD_MAX, 0) };
    });
  };
  useEffect(() => {
    setShown({ items: [], dropped: 0 });
    aside.current = [];
    const leave = subscribe('tail', (event) => {
      if (asked.type && event.type !== asked.type && eventName(event.type) !== asked.type) return;
      if (asked.subject && event.subject !== asked.subject) return;
      aside.current.push(event);
      if (aside.current.length > HELD_MAX) aside.current.shift();
    });
    const timer = setInterval(() => {
      if (document.hidden || !aside.current.length) return;
      if (isHeld.current()) setWaiting(aside.current.length);
      else take();
    }, DRAW_MS_MIN);
    return () => {
      leave();
      clearInterval(timer);
    };
  }, [asked.type, asked.subject]);
  const scrolled = (top) => { isScrolled.current = top > 0; };
  return { ...shown, waiting, take, scrolled, state: status.state, globallyPaused: status.paused };
}

/** Loads the stored events again after a break of the stream, for those that came meanwhile. */
function useGap(state, reload) {
  const wasBroken = useRef(false);
  useEffect(() => {
    if (state === 'open' && wasBroken.current) reload();
    if (state === 'open' || state === 'broken') wasBroken.current = state === 'broken';
  }, [state]);
}

function merge(...lists) {
  const seen = new Set();
  const items = [];
  for (const event of lists.flat()) {
    if (seen.has(event.event_id)) continue;
    seen.add(event.event_id);
    items.push(event);
  }
  return items;
}

/** Tells which events pass the filters that the API does not have. */
function matcher(query, parked) {
  const text = query.text?.toLowerCase();
  const from = instant(query.from);
  const to = instant(query.to);
  return (event) => (!query.service || event.service === query.service)
    && (!query.outcome || (query.outcome === 'parked') === Boolean(parked?.has(event.event_id)))
    && (!from || event.time >= from) && (!to || event.time <= to)
    && (!text || textOf(event).includes(text));
}

const texts = new WeakMap();

function textOf(event) {
  if (!texts.has(event)) texts.set(event, `${event.event_id} ${event.subject} ${event.correlation_id} ${JSON.stringify(event.data)}`.toLowerCase());
  return texts.get(event);
}

function Filters({ query, types }) {
  const known = useMemo(() => [...new Set(types.map((event) => event.type))].sort().map((type) => [type, eventName(type)]), [types]);
  const isFiltered = ['text', 'type', 'service', 'subject', 'outcome', 'from', 'to'].some((name) => query[name]);
  return html`
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <${TextFilter} name="text" label=${t.events.text} placeholder=${t.events.textHint} search />
      <${SelectFilter} name="type" label=${t.events.type} options=${known} />
      <${SelectFilter} name="service" label=${t.events.service} options=${SERVICES.map((name) => [name, name])} />
      <${SelectFilter} name="outcome" label=${t.events.outcome} options=${[['parked', t.events.parked], ['other', t.events.notParked]]} />
      <${TextFilter} name="subject" label=${t.events.subject} placeholder=${t.events.subjectHint} />
      <${TextFilter} name="from" label=${t.filter.from} type="datetime-local" />
      <${TextFilter} name="to" label=${t.filter.to} type="datetime-local" />
      ${isFiltered && html`<button type="button" class="quiet" onClick=${clear}>${t.filter.clear}</button>`}
    </form>`;
}

const clear = () => setQuery({ text: null, type: null, service: null, subject: null, outcome: null, from: null, to: null });

function Row({ event, parked }) {
  return html`
    <li class="event-row">
      <time class="num" datetime=${event.time} title=${exact(event.time)}>${stamp(event.time)}</time>
      <a href=${url(`/events/${event.event_id}`)} data-row>${eventName(event.type)}</a>
      <span class="note service-name">${event.service}</span>
      <a class="mono note subject" href=${url('/events', { subject: event.subject })} title=${t.events.ofSubject(event.subject)}>${shortId(event.subject)}</a>
      ${parked?.has(event.event_id) ? html`<${Status} value="parked" />` : html`<span></span>`}
      <span class="data"><${Data}>${preview(event)}<//></span>
    </li>`;
}

const previews = new WeakMap();

// A row shows little of the data: a large event must not be laid out for each row.
function preview(event) {
  if (!previews.has(event)) previews.set(event, JSON.stringify(event.data ?? null).slice(0, 200));
  return previews.get(event);
}

function None({ query, all }) {
  if (all > 0) return html`<${Empty} title=${t.events.noMatch} text=${t.events.noMatchText(count(all))}>
    <button type="button" onClick=${clear}>${t.filter.clear}</button><//>`;
  if (query.type || query.subject) return html`<${Empty} title=${t.events.noMatch} text=${t.events.noneOfType}>
    <button type="button" onClick=${clear}>${t.filter.clear}</button><//>`;
  return html`<${Empty} title=${t.flow.quiet} text=${t.flow.quietText} command=${t.flow.quietCommand} />`;
}

const command = ({ type, tail }) => `tradepost events ${tail === 'off' || type ? 'list' : 'tail'}${type ? ` --type ${quoted(type)}` : ''}`;

const exportEvents = (events) => save(`events-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.ndjson`, `${events.map((event) => JSON.stringify(event)).join('\n')}\n`, 'application/x-ndjson');
