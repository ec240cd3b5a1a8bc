// The story as a graph: each event below the one that caused it.
import { html } from '../vendor/vendor.js';
import { statusKind } from './ui.js';
import { eventName, ms } from './format.js';
import { url } from './router.js';
import { t } from './strings.js';

const NODE = { width: 176, height: 44, gapX: 18, gapY: 26 };

/**
 * Places events: an effect is one row below its cause; the first effect is in the column of its cause, each other one
 * in a new column.
 * @returns {{nodes: {event: any, x: number, y: number, cause: string|null}[], width: number, height: number}}
 */
export function placeEvents(items) {
  const ids = new Set(items.map((event) => event.event_id));
  const effects = new Map();
  const roots = [];
  for (const event of items) {
    if (ids.has(event.caused_by) && event.caused_by !== event.event_id) effects.set(event.caused_by, [...(effects.get(event.caused_by) ?? []), event]);
    else roots.push(event);
  }
  const nodes = [];
  let column = 0;
  let rows = 0;
  const place = (event, row) => {
    rows = Math.max(rows, row + 1);
    nodes.push({ event, x: column * (NODE.width + NODE.gapX), y: row * (NODE.height + NODE.gapY), cause: ids.has(event.caused_by) ? event.caused_by : null });
    (effects.get(event.event_id) ?? []).forEach((effect, index) => {
      if (index > 0) column += 1;
      place(effect, row + 1);
    });
  };
  roots.forEach((event, index) => {
    if (index > 0) column += 1;
    place(event, 0);
  });
  return { nodes, width: (column + 1) * (NODE.width + NODE.gapX) - NODE.gapX, height: rows * (NODE.height + NODE.gapY) - NODE.gapY };
}

/** @returns the graph of causes of a story. */
export function Causes({ items }) {
  const { nodes, width, height } = placeEvents(items);
  const at = new Map(nodes.map((node) => [node.event.event_id, node]));
  return html`
    <div class="causes" tabindex="0" role="region" aria-label=${t.order.graph}>
      <svg width=${width + 8} height=${height + 8} viewBox="-4 -4 ${width + 8} ${height + 8}" role="group" aria-label=${t.order.graph}>
        ${nodes.filter((node) => node.cause).map((node) => html`<path class="cause" d=${curve(at.get(node.cause), node)} />`)}
        ${nodes.map((node) => html`<${Node} key=${node.event.event_id} node=${node} cause=${at.get(node.cause)?.event} />`)}
      </svg>
    </div>`;
}

function curve(from, to) {
  const start = { x: from.x + NODE.width / 2, y: from.y + NODE.height };
  const end = { x: to.x + NODE.width / 2, y: to.y };
  const middle = start.y + NODE.gapY / 2;
  return `M${start.x} ${start.y}C${start.x} ${middle} ${end.x} ${middle} ${end.x} ${end.y}`;
}

function Node({ node, cause }) {
  const { event, x, y } = node;
  const worst = ['parked', 'retrying', 'waiting', 'pending'].find((status) => event.deliveries.some((it) => it.status === status));
  const passed = cause ? `+${ms(new Date(event.time) - new Date(cause.time))}` : t.causes.root;
  const name = eventName(event.type);
  const detail = [event.service, passed, worst && `${worst === 'parked' ? '✕' : '!'} ${t.causes.short[worst]}`].filter(Boolean).join(' · ');
  const text = [`${name} ${detail}`, cause && t.causes.by(eventName(cause.type))].filter(Boolean).join(', ');
  return html`
    <a class="cause-node ${worst ? statusKind(worst) : ''}" href=${url(`/events/${event.event_id}`)} aria-label=${text}>
      <title>${text}</title>
      <rect data-box="event:${event.event_id}" x=${x} y=${y} width=${NODE.width} height=${NODE.height} rx="7" />
      <text class="name" x=${x + 10} y=${y + 19}>${name.length > 21 ? `${name.slice(0, 20)}…` : name}</text>${' '}
      <text class="detail" x=${x + 10} y=${y + 36}>${detail}</text>
    </a>`;
}
