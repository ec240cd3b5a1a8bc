// The story as bars over time. Long pauses in which nothing happens are cut, and marked.
import { html } from '../vendor/vendor.js';
import { eventName, ms, roughly } from './format.js';
import { url } from './router.js';
import { t } from './strings.js';

const PAUSE_SHARE = 0.07;
const PAUSES_SHARE_MAX = 0.35;
const PAUSE_MS_MIN = 1000;

/** The spans of a story: one for each delivery. One that is not handled yet lasts until now. */
export function spansOf(items, now = Date.now()) {
  return items.flatMap((event) => event.deliveries.map((it) => {
    const from = new Date(event.time).getTime();
    const to = it.handled_at ? new Date(it.handled_at).getTime() : it.status === 'parked' ? from : now;
    // Clocks of machines differ: an effect is never drawn before its cause.
    return { event, delivery: it, from, to: Math.max(to, from), skewed: it.handled_at && to < from, open: !it.handled_at };
  }));
}

/**
 * Makes a scale from time to 0…1, in which each pause between spans has the same small width.
 * @param {{from: number, to: number}[]} spans
 */
export function timeScale(spans) {
  const busy = [];
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    const last = busy[busy.length - 1];
    if (last && from - last.to < PAUSE_MS_MIN) last.to = Math.max(last.to, to);
    else busy.push({ from, to });
  }
  const work = busy.reduce((sum, it) => sum + Math.max(it.to - it.from, 1), 0);
  const pauseShare = Math.min(PAUSE_SHARE, PAUSES_SHARE_MAX / Math.max(busy.length - 1, 1));
  const factor = (1 - pauseShare * (busy.length - 1)) / work;
  let at = 0;
  for (const it of busy) {
    it.at = at;
    at += Math.max(it.to - it.from, 1) * factor + pauseShare;
  }
  const place = (time) => {
    const it = busy.findLast((candidate) => candidate.from <= time) ?? busy[0];
    return Math.min(it.at + Math.min(Math.max(time - it.from, 0), Math.max(it.to - it.from, 1)) * factor, 1);
  };
  const pauses = busy.slice(1).map((it, index) => ({ at: it.at - pauseShare / 2, ms: it.from - busy[index].to }));
  return { place, pauses };
}

/** What the signs mean, of those that there are. */
function Legend({ spans }) {
  return html`<ul class="part-keys" aria-hidden="true">
    <li class="part-whole">${t.waterfall.effect}</li>
    ${spans.some((it) => it.delivery.attempts > 1) && html`<li class="tick-key">${t.waterfall.tick}</li>`}
  </ul>`;
}

/** @returns the waterfall of a story, which is a table for screen readers. */
export function Waterfall({ items }) {
  const spans = spansOf(items);
  const { place, pauses } = timeScale([...spans, ...items.map((event) => ({ from: new Date(event.time).getTime(), to: new Date(event.time).getTime() }))]);
  return html`
    <${Legend} spans=${spans} />
    ${spans.some((it) => it.skewed) && html`<p class="notice warn">${t.waterfall.skew}</p>`}
    <div class="waterfall" role="table" aria-label=${t.order.waterfall}>
      ${pauses.length > 0 && html`<div class="fall-row axis" role="row"><span class="fall-name" role="cell">${t.waterfall.pauses}</span>
        <span class="fall-bars" role="cell">${pauses.map((it) => html`
        <span class="cut-mark" style=${{ left: percent(it.at) }}>${t.waterfall.pause(roughly(it.ms))}</span>`)}</span></div>`}
      ${items.map((event) => html`<${EventRows} key=${event.event_id} event=${event} spans=${spans.filter((it) => it.event === event)} place=${place} pauses=${pauses} />`)}
    </div>`;
}

const percent = (share) => `${(share * 100).toFixed(3)}%`;

function EventRows({ event, spans, place, pauses }) {
  const at = place(new Date(event.time).getTime());
  const cuts = pauses.map((it) => html`<i class="cut" style=${{ left: percent(it.at) }}></i>`);
  return html`
    <div class="fall-row head" role="row">
      <span class="fall-name" role="rowheader"><a href=${url(`/events/${event.event_id}`)} data-row>${eventName(event.type)}</a> <small>${event.service}</small></span>
      <span class="fall-bars" role="cell">${cuts}<i class="dot" style=${{ left: percent(at) }}></i></span>
    </div>
    ${spans.map((span) => html`
      <div class="fall-row" role="row" key=${span.delivery.consumer}>
        <span class="fall-name consumer" role="rowheader">${span.delivery.consumer}</span>
        <span class="fall-bars" role="cell">${cuts}<${Bar} span=${span} place=${place} /><span class="hidden">${describe(span)}</span></span>
      </div>`)}`;
}

function Bar({ span, place }) {
  const { delivery, from, to } = span;
  const left = place(from);
  const width = Math.max(place(to) - left, 0);
  const ticks = Math.min(Math.max((delivery.attempts ?? 1) - 1, 0), 12);
  return html`
    <span class="fall-bar ${delivery.status}" title=${describe(span)} style=${{ left: percent(left), width: `max(${percent(width)}, 3px)` }}>
      <i class="part-whole" style=${{ width: '100%' }}></i>
      ${Array.from({ length: ticks }, (_, index) => html`<b style=${{ left: percent((index + 1) / (ticks + 1)) }}></b>`)}
    </span>
    <${BarText} left=${left} right=${left + width} text=${shortly(span)} />`;
}

/** The text of a bar: right of it, else left of it, else in it. */
function BarText({ left, right, text }) {
  if (right < 0.78) return html`<span class="fall-text" style=${{ left: percent(right) }}>${text}</span>`;
  if (left > 0.22) return html`<span class="fall-text" style=${{ right: percent(1 - left) }}>${text}</span>`;
  return html`<span class="fall-text inside" style=${{ right: percent(1.01 - right) }}>${text}</span>`;
}

const shortly = ({ delivery, from, to, open }) => (open ? t.status[delivery.status] ?? delivery.status : ms(to - from)) + (delivery.attempts > 1 ? ` · ${t.waterfall.attempts(delivery.attempts)}` : '');

const describe = (span) => `${span.delivery.consumer}: ${shortly(span)}`;
