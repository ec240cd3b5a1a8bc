// The map as a sortable table, and the panel of one line: its types and its latest events.
import { html, useEffect, useState } from '../vendor/vendor.js';
import { get, useLoad } from '../lib/api.js';
import { sumTypes } from '../lib/map.js';
import { Data, Loaded, Time } from '../lib/ui.js';
import { count, eventName, ms, rate, shortId } from '../lib/format.js';
import { setQuery, url, useRoute } from '../lib/router.js';
import { t } from '../lib/strings.js';

const COLUMNS = [
  ['from', (row) => row.from], ['to', (row) => row.to], ['name', (row) => row.name], ['per_second', (row) => row.per_second],
  ['p99_ms', (row) => row.p99_ms], ['failed_per_second', (row) => row.failed_per_second], ['total', (row) => row.total],
];

const SHOWN_MS_MIN = 1000;

/** All types of all edges as a table, sorted by a column that the URL names. */
export function EdgeTable({ snapshot: newest }) {
  const snapshot = useSlowly(newest);
  const { query } = useRoute();
  const by = COLUMNS.find(([name]) => name === query.sort) ?? COLUMNS[6];
  const ascending = query.order === 'asc';
  const rows = snapshot.edges.flatMap((edge) => (edge.types ?? []).map((it) => ({ ...it, from: edge.from, to: edge.to, name: it.name ?? eventName(it.type) })));
  rows.sort((a, b) => compare(by[1](a), by[1](b)) * (ascending ? 1 : -1));
  return html`
    <div class="table-scroll tall" tabindex="0" role="region" aria-label=${t.flow.table}>
      <table class="edges">
        <caption class="hidden">${t.map.label}</caption>
        <thead><tr>${COLUMNS.map(([name], index) => html`<${Sortable} name=${name} numeric=${index > 2} active=${by[0] === name} ascending=${ascending} />`)}</tr></thead>
        <tbody>${rows.map((row) => html`
          <tr key=${`${row.from}~${row.to}~${row.type}`}>
            <td><a href=${url(`/services/${encodeURIComponent(row.from)}`)}>${row.from}</a></td><td>
              <a href=${url(`/services/${encodeURIComponent(row.to)}`)}>${row.to}</a></td>
            <td><a href=${url('/events', { type: row.type })} data-row>${row.name}</a></td>
            <td class="num">${rate(row.per_second)}</td><td class="num">${ms(row.p99_ms)}</td>
            <td class="num ${row.failed_per_second > 0 ? 'bad' : ''}">${row.failed_per_second > 0 ? `✕ ${rate(row.failed_per_second)}` : rate(row.failed_per_second)}</td>
              <td class="num">${count(row.total)}</td>
          </tr>`)}</tbody>
      </table>
    </div>`;
}

/** Follows a value at most each second: rows that change four times a second cannot be read. */
function useSlowly(value) {
  const [shown, setShown] = useState(value);
  const isOld = new Date(value.at) - new Date(shown.at) >= SHOWN_MS_MIN;
  useEffect(() => { if (isOld) setShown(value); }, [isOld]);
  return shown;
}

function compare(a, b) {
  if (a == null || b == null) return (a == null ? -1 : 0) + (b == null ? 1 : 0);
  return typeof a === 'number' ? a - b : a.localeCompare(b);
}

const Sortable = ({ name, numeric, active, ascending }) => html`
  <th scope="col" class=${numeric ? 'num' : undefined} aria-sort=${active ? (ascending ? 'ascending' : 'descending') : undefined}>
    <button type="button" class="sort" onClick=${() => setQuery({ sort: name, order: active && !ascending ? 'asc' : null })}>
      ${t.map.columns[name]}<span aria-hidden="true">${active ? (ascending ? ' ↑' : ' ↓') : ''}</span>
    </button>
  </th>`;

/** The panel of a line `a~b`, or of all lines of a service on the rail, `*~service`. */
export function EdgePanel({ edge, snapshot }) {
  const [a, b] = edge.split('~');
  const edges = snapshot.edges.filter(({ from, to }) => (a === '*' ? from === b || to === b : (from === a && to === b) || (from === b && to === a)));
  const types = [...new Set(edges.flatMap((it) => (it.types ?? []).map((type) => type.type)))];
  const title = a === '*' ? t.map.panelOf(b) : t.map.panelBetween(a, b);
  return html`
    <aside class="card panel" aria-label=${title}>
      <header class="card-head"><h2>${title}</h2><button type="button" class="icon" aria-label=${t.close} onClick=${() => setQuery({ edge: null })}>✕</button></header>
      ${edges.length === 0 && html`<p class="note">${t.map.noEdges}</p>`}
      ${edges.map((it) => html`<${Direction} key=${`${it.from}~${it.to}`} edge=${it} />`)}
      ${types.length > 0 && html`<${LatestEvents} types=${types} />`}
    </aside>`;
}

function Direction({ edge }) {
  const sum = sumTypes([edge]);
  const [open, setOpen] = useState(sum.types <= 6);
  return html`
    <section>
      <h3>${edge.from} → ${edge.to} <span class="note">${t.map.sum(rate(sum.rate), ms(sum.p99))}</span></h3>
      ${open ? html`
        <table><thead><tr><th scope="col">${t.map.columns.name}</th><th scope="col" class="num">${t.map.columns.per_second}</th>
          <th scope="col" class="num">${t.map.columns.p99_ms}</th><th scope="col" class="num">${t.map.columns.total}</th></tr></thead>
          <tbody>${edge.types.map((it) => html`
            <tr><td>
              <a href=${url('/events', { type: it.type })}>${it.name ?? eventName(it.type)}</a>${it.failed_per_second > 0 && html`<span class="bad"> ✕ ${t.map.failing(rate(it.failed_per_second))}</span>`}</td>
              <td class="num">${rate(it.per_second)}</td><td class="num">${ms(it.p99_ms)}</td><td class="num">${count(it.total)}</td></tr>`)}</tbody></table>`
        : html`<button type="button" class="quiet" onClick=${() => setOpen(true)}>${t.map.showTypes(sum.types)}</button>`}
    </section>`;
}

const TYPES_ASKED_MAX = 4;

function LatestEvents({ types }) {
  const asked = types.slice(0, TYPES_ASKED_MAX);
  const state = useLoad(async () => {
    const answers = await Promise.all(asked.map((type) => get('/v1/events', { type, limit: 6 })));
    return answers.flatMap((it) => it.items).sort((x, y) => y.time.localeCompare(x.time)).slice(0, 10);
  }, [asked.join()]);
  return html`
    <section>
      <h3>${t.map.latest} <button type="button" class="quiet" onClick=${state.reload}>${t.refresh}</button></h3>
      ${types.length > asked.length && html`<p class="note">${t.map.latestOf(asked.length, types.length)}</p>`}
      <${Loaded} state=${state} rows=${4}>${(events) => (events.length === 0 ? html`<p class="note">${t.events.noneOfType}</p>` : html`
        <ul class="latest">${events.map((event) => html`
          <li key=${event.event_id}>
            <a href=${url(`/events/${event.event_id}`)} data-row>${eventName(event.type)}</a> <${Data} mono>${shortId(event.subject)}<//> <span class="note">
            <${Time} at=${event.time} /></span></li>`)}</ul>`)}<//>
    </section>`;
}
