// The story of an order as sentences, and its events with their data.
import { html, useState } from '../vendor/vendor.js';
import { Data, Status } from './ui.js';
import { Json } from './json.js';
import { clock, eventName, exact, money, ms, roughly } from './format.js';
import { url } from './router.js';
import { t } from './strings.js';

/** @typedef {{consumer: string, status: string, attempts: number, handled_at?: string, reason?: string, parts?: Record<string, number>}} Delivery */

/** Milliseconds between two times, or null. */
export const between = (from, to) => (from && to ? new Date(to) - new Date(from) : null);

/** The first event's time from which offsets are counted. */
const startOf = (items) => items[0]?.time;

/** The story, an item for each event: a sentence, and what its consumers did. */
export function Sentences({ items }) {
  const start = startOf(items);
  return html`
    <ol class="story">${items.map((event, index) => {
      const pause = index > 0 ? between(items[index - 1].time, event.time) : 0;
      return html`
        ${pause > 60_000 && html`<li class="pause" aria-hidden="true">${t.story.later(roughly(pause))}</li>`}
        <li key=${event.event_id} class=${worstKind(event.deliveries)}>
          <span class="offset num" title=${exact(event.time)}>${offset(start, event.time)}</span>
          <div>
            <p class="sentence"><${Data}>${t.story.sentence(eventName(event.type), event.data ?? {}, { money })}<//></p>
            <p class="source">
              <a href=${url(`/events/${event.event_id}`)} data-row>${eventName(event.type)}</a> ${t.story.by(event.service)} <span class="print-only">${exact(event.time)}</span></p>
            <${Deliveries} event=${event} />
          </div>
        </li>`;
    })}</ol>`;
}

function offset(start, time) {
  const passed = between(start, time);
  return passed < 0 ? `−${ms(-passed)}` : `+${ms(passed)}`;
}

const ORDER = ['parked', 'retrying', 'waiting', 'pending', 'done'];
const worstKind = (deliveries) => ORDER.find((status) => deliveries.some((it) => it.status === status)) ?? 'done';

/** Names those that handled an event at once, and gives a line to each that did not. */
function Deliveries({ event }) {
  const fine = event.deliveries.filter((it) => it.status === 'done' && it.attempts <= 1 && !it.decision);
  const rest = event.deliveries.filter((it) => !fine.includes(it));
  return html`
    ${fine.length > 0 && html`<p class="handled">${t.story.handled(fine.map((it) => it.consumer))}</p>`}
    ${event.deliveries.length === 0 && html`<p class="handled">${t.story.nobody}</p>`}
    ${rest.map((it) => html`<p class="handled" key=${it.consumer}>
      <${Status} value=${it.status} /> ${t.story.delivery(it)}${it.reason && html`: <${Data}>${it.reason}<//>`}
      ${it.decision && html` <small>${t.story.decided(it.decision, it.decided_by, clock(it.decided_at))}</small>`}</p>`)}`;
}

/** All events with their data, each closed at first. */
export function EventList({ items }) {
  return html`<ul class="event-list">${items.map((event) => html`<${EventItem} key=${event.event_id} event=${event} start=${startOf(items)} />`)}</ul>`;
}

function EventItem({ event, start }) {
  const [open, setOpen] = useState(false);
  return html`
    <li>
      <button type="button" class="row" aria-expanded=${open} data-row onClick=${() => setOpen(!open)}>
        <span class="num offset">${offset(start, event.time)}</span><strong>${eventName(event.type)}</strong><span class="note">${event.service}</span>
        ${worstKind(event.deliveries) !== 'done' && html`<${Status} value=${worstKind(event.deliveries)} />`}
      </button>
      ${open && html`<div class="opened"><${DeliveryTable} event=${event} /><${Json} value=${event.data} name=${`${event.event_id}.json`} /><p>
        <a href=${url(`/events/${event.event_id}`)}>${t.story.openEvent}</a></p></div>`}
    </li>`;
}

/** The deliveries of an event with attempts and durations. */
export function DeliveryTable({ event }) {
  if (!event.deliveries?.length) return html`<p class="note">${t.story.nobody}</p>`;
  return html`
    <div class="table-scroll"><table>
      <thead><tr>${t.story.columns.map((name, index) => html`<th scope="col" class=${index === 2 ? 'num' : undefined}>${name}</th>`)}</tr></thead>
      <tbody>${event.deliveries.map((it) => html`
        <tr key=${it.consumer}>
          <td><a href=${url(`/services/${encodeURIComponent(it.consumer)}`)}>${it.consumer}</a></td><td><${Status} value=${it.status} /></td>
            <td class="num">${it.attempts}</td>
          <td class="nowrap">${it.handled_at ? ms(between(event.time, it.handled_at)) : '–'}</td>
          <td class="wide">${it.reason && html`<${Data}>${it.reason}<//>`}${it.decision && html` <small>${t.story.decided(it.decision, it.decided_by, clock(it.decided_at))}</small>`}</td>
        </tr>`)}</tbody>
    </table></div>`;
}

