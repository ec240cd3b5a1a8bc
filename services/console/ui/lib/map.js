// The flow map: services as boxes, events between two of them as one dashed line with one label.
import { html, useMemo, useState } from '../vendor/vendor.js';
import { CORE, connector, hasLine, lineBetween, otherLabel, placeBoxes, rail } from './positions.js';
import { ms, rate } from './format.js';
import { url } from './router.js';
import { t } from './strings.js';

const SLOW_MS = 1000;
const OLD_SECONDS = 5;
/** Deliveries that wait at a service before that is worth a sign: it handles hundreds a second. */
const QUEUED_MAX = 100;

/**
 * @typedef {{types: number, rate: number|null, p99: number|null, failed: number}} Sum
 */

const sumOf = (values) => { const known = values.filter((value) => value != null); return known.length ? known.reduce((a, b) => a + b, 0) : null; };
const maxOf = (values) => { const known = values.filter((value) => value != null); return known.length ? Math.max(...known) : null; };

/** Adds the types of some edges up. @returns {Sum} */
export function sumTypes(edges) {
  const types = edges.flatMap((edge) => edge.types ?? []);
  return {
    types: new Set(types.map((it) => it.type)).size,
    rate: sumOf(types.map((it) => it.per_second)),
    p99: maxOf(types.map((it) => it.p99_ms)),
    failed: sumOf(types.map((it) => it.failed_per_second)) ?? 0,
  };
}

/** Tells whether a service does not answer, or its store does not. */
export const isDown = (service) => service?.state === 'unreachable';

/** The troubles of a service, worst first, as words. */
export function troubles(service) {
  const found = [];
  if (isDown(service)) return [t.map.unreachable];
  if (service.state !== 'ready') found.push(service.reason || t.status[service.state] || service.state);
  if (service.dead_letters > 0) found.push(t.map.deadLetters(service.dead_letters));
  if (service.oldest_unsent_seconds > OLD_SECONDS) found.push(t.map.unsent(service.outbox_pending ?? 0));
  if (service.queued > QUEUED_MAX) found.push(t.map.queued(service.queued));
  if (service.retrying > 0) found.push(t.map.retrying(service.retrying));
  if (service.timers_due > 0) found.push(t.map.timersDue(service.timers_due));
  return found;
}

/** The level of a service: `good`, `warn`, `bad` or `off`. */
export function serviceLevel(service) {
  if (isDown(service)) return 'off';
  if (service.state !== 'ready') return 'warn';
  return troubles(service).length ? 'warn' : 'good';
}

const sumLevel = (sum) => (sum.failed > 0 ? 'bad' : sum.p99 > SLOW_MS ? 'warn' : 'good');
const SIGN = { good: '✓', warn: '!', bad: '✕', off: '○' };
const strokeOf = (value) => 1.2 + Math.min(Math.log10(1 + (value ?? 0)) * 1.4, 4);

const ARROWS = ['→', '↘', '↓', '↙', '←', '↖', '↑', '↗'];
const arrow = (from, to) => ARROWS[(Math.round(Math.atan2(to.y - from.y, to.x - from.x) / (Math.PI / 4)) + 8) % 8];

/** Arranges a snapshot: lines of the core, connectors of the rail, and what is left over. */
export function arrange(snapshot) {
  const names = [...new Set([...snapshot.services.map((it) => it.service), ...snapshot.edges.flatMap((edge) => [edge.from, edge.to])])];
  const placed = placeBoxes(names);
  const services = new Map(snapshot.services.map((it) => [it.service, it]));
  const isCore = (name) => Boolean(CORE[name]);
  const lines = new Map();
  const others = [];
  for (const edge of snapshot.edges) {
    if (!isCore(edge.from) || !isCore(edge.to)) continue;
    if (!hasLine(edge.from, edge.to)) { if (edge.from !== edge.to) others.push(edge); continue; }
    const [a, b] = [edge.from, edge.to].sort();
    const line = lines.get(`${a}~${b}`) ?? { key: `${a}~${b}`, a, b, directions: [] };
    line.directions.push({ from: edge.from, to: edge.to, sum: sumTypes([edge]), names: (edge.types ?? []).map((it) => it.name ?? it.type) });
    lines.set(line.key, line);
  }
  const connectors = placed.boxes.filter((box) => box.kind !== 'core').map((box) => ({
    box,
    inward: sumTypes(snapshot.edges.filter((edge) => edge.to === box.service && edge.from !== box.service)),
    outward: sumTypes(snapshot.edges.filter((edge) => edge.from === box.service && edge.to !== box.service)),
  }));
  return { placed, services, lines: [...lines.values()], connectors, others };
}

/** The flow map of a snapshot. */
export function FlowMap({ snapshot, selected }) {
  const [hovered, setHovered] = useState(null);
  const { placed, services, lines, connectors, others } = arrange(snapshot);
  const near = hovered && neighbours(snapshot, hovered);
  const faded = (...names) => (near && !names.every((name) => near.has(name)) ? ' faded' : '');
  const hover = (name) => ({ onMouseEnter: () => setHovered(name), onMouseLeave: () => setHovered(null), onFocusIn: () => setHovered(name), onFocusOut: () => setHovered(null) });
  const isAway = (name) => isDown(services.get(name));
  return html`
    <svg class="flow-map" viewBox="0 0 ${placed.width} ${placed.height}" role="group" aria-label=${t.map.label}
      style=${{ minWidth: `${Math.round(placed.width * 0.8)}px` }}>
      <${Rail} placed=${placed} />
      ${lines.map((line) => html`<${Line} key=${line.key} line=${line} away=${isAway(line.a) || isAway(line.b)}
        className=${(selected === line.key ? ' selected' : '') + (near && (hovered === line.a || hovered === line.b) ? ' near' : faded(line.a, line.b))} />`)}
      ${others.length > 0 && html`<${Label} id="others" rect=${otherLabel()} to=${url('/', { view: 'table' })} title=${t.flow.table} name=${t.map.others(others.length)}
        rows=${[t.map.others(others.length)]} level="good" className=${near ? ' faded' : ''} />`}
      ${connectors.map((it) => html`<${Connector} key=${it.box.service} ...${it} away=${isAway(it.box.service)}
        className=${(selected === `*~${it.box.service}` ? ' selected' : '') + (hovered === it.box.service ? ' near' : faded(it.box.service))} />`)}
      ${placed.boxes.map((box) => html`<${ServiceBox} key=${box.service} box=${box} edges=${snapshot.edges}
        service=${services.get(box.service) ?? { service: box.service, state: 'unreachable' }} className=${faded(box.service)} hover=${hover(box.service)} />`)}
    </svg>`;
}

function neighbours(snapshot, name) {
  const near = new Set([name]);
  for (const { from, to } of snapshot.edges) {
    if (from === name) near.add(to);
    if (to === name) near.add(from);
  }
  return near;
}

function Rail({ placed }) {
  const { frame, y, x1, x2, branches } = rail(placed.width, placed.spare);
  return html`
    <g class="rail" aria-hidden="true">
      <rect x=${frame.x} y=${frame.y} width=${frame.width} height=${frame.height} rx="10" />
      <path d="M${x1} ${y}H${x2}" />
      <path d="M${frame.x + frame.width / 2} ${frame.y + frame.height}V${y}" />
      ${branches.map((branch) => html`<path d="M${branch.x} ${branch.y1}V${branch.y2}" />`)}
    </g>`;
}

function Line({ line, away, className }) {
  const { from, to, label } = lineBetween(line.a, line.b, line.directions.length);
  const sums = line.directions.map((it) => it.sum);
  const level = away ? 'off' : worst(sums.map(sumLevel));
  const rows = line.directions.map(({ from: source, to: target, sum }) => labelRow(arrow(CORE[source], CORE[target]), sum, away));
  const name = line.directions.map((it) => t.map.edgeName(it.from, it.to, it.names, it.sum, away)).join(' ');
  return html`
    <g class="edge ${level}${className}">
      <path d="M${from.x} ${from.y}L${to.x} ${to.y}" stroke-width=${strokeOf(maxOf(sums.map((sum) => sum.rate)))} />
      ${line.directions.map((it) => html`<${Head} at=${it.to === line.b ? to : from} from=${it.to === line.b ? from : to} />`)}
      <${Label} id=${line.key} rect=${label} to=${url('/', { edge: line.key })} title=${t.map.panelBetween(line.a, line.b)} name=${name} rows=${rows} level=${level}
        className=${sums.every((sum) => !sum.rate) ? ' idle' : ''} />
    </g>`;
}

const worst = (levels) => ['bad', 'warn', 'good'].find((level) => levels.includes(level)) ?? 'good';

function labelRow(sign, sum, away) {
  if (away) return `${sign} –`;
  const parts = [`${rate(sum.rate)}/s`];
  if (sum.p99 != null) parts.push(ms(sum.p99));
  return `${sign} ${parts.join(' · ')}`;
}

function Head({ at, from }) {
  const angle = (Math.atan2(at.y - from.y, at.x - from.x) * 180) / Math.PI;
  return html`<path class="head" d="M0 0l-9 -4.5v9z" transform="translate(${at.x} ${at.y}) rotate(${angle})" />`;
}

function Label({ id, rect, to, title, name, rows, level, className = '' }) {
  const marked = level === 'warn' || level === 'bad';
  // A label that says the same as before is not compared again.
  return useMemo(() => html`
    <a class="label ${level}${className}" href=${to} aria-label=${`${title}: ${rows.join(' ')}`} aria-description=${name} data-edge=${id}>
      <title>${name}</title>
      <rect data-box="label:${id}" x=${rect.x} y=${rect.y} width=${rect.width} height=${rect.height} rx="6" />
      ${rows.map((text, index) => html`<text x=${rect.x + rect.width / 2 + (marked ? 6 : 0)} y=${rect.y + 14 + index * 16} text-anchor="middle">${text}</text>`)}
      ${marked && html`<text class="sign" x=${rect.x + 9} y=${rect.y + 14} text-anchor="middle">${SIGN[level]}</text>`}
    </a>`, [id, rect.x, rect.y, name, rows.join(), level, className]);
}

function Connector({ box, inward, outward, away, className }) {
  const rows = [];
  const [down, up] = box.kind === 'spare' ? ['→', '←'] : ['↓', '↑'];
  if (inward.types) rows.push(labelRow(down, inward, away));
  if (outward.types) rows.push(labelRow(up, outward, away));
  const { from, to, label } = connector(box, Math.max(rows.length, 1));
  const level = away ? 'off' : worst([sumLevel(inward), sumLevel(outward)]);
  const isHttp = rows.length === 0;
  return html`
    <g class="edge bundle ${level}${isHttp ? ' http' : ''}${className}">
      <path d="M${from.x} ${from.y}L${to.x} ${to.y}" stroke-width=${strokeOf(maxOf([inward.rate, outward.rate]))} />
      ${rows.length > 0 && html`<${Label} id="*~${box.service}" rect=${label} to=${url('/', { edge: `*~${box.service}` })} title=${t.map.panelOf(box.service)} rows=${rows} level=${level}
        name=${t.map.bundleName(box.service, inward, outward, away)} />`}
    </g>`;
}

function ServiceBox({ box, service, edges, className, hover }) {
  const { x, y, width, height } = box.rect;
  const level = serviceLevel(service);
  const found = troubles(service);
  const flow = isDown(service) ? '' : box.kind === 'core' ? inOut(box.service, edges) : t.status[service.state] ?? service.state;
  const name = t.map.boxName(box.service, t.status[service.state] ?? service.state, found, flow);
  const label = fitted(box.service, width - 37, box.kind === 'core' ? 8 : 7.2);
  const detail = fitted(found[0] ?? flow, width - 18, 6.2);
  return useMemo(() => html`
    <a class="service ${level} ${box.kind}${className}" href=${url(`/services/${encodeURIComponent(box.service)}`)} aria-label=${`${label.text} ${detail.text}`} aria-description=${name} ...${hover}>
      <title>${name}</title>
      <rect data-box="service:${box.service}" x=${x} y=${y} width=${width} height=${height} rx="8" />
      <circle cx=${x + 17} cy=${y + 18} r="7.5" />
      <text class="sign" x=${x + 17} y=${y + 22} text-anchor="middle">${SIGN[level]}</text>
      <text class="name" x=${x + 30} y=${y + 22.5} textLength=${label.textLength} lengthAdjust="spacingAndGlyphs">${label.text}</text>${' '}
      <text class="detail" x=${x + 11} y=${y + height - (box.kind === 'core' ? 15 : 11)} textLength=${detail.textLength} lengthAdjust="spacingAndGlyphs">${detail.text}</text>
    </a>`, [name, x, y, level, className]);
}

const roughRate = (value) => rate(value >= 10 ? Math.round(value) : value);

/** Events handled and emitted: one that goes to several services is emitted once. */
function inOut(name, edges) {
  const emitted = new Map();
  for (const edge of edges) {
    if (edge.from === name) for (const it of edge.types ?? []) emitted.set(it.type, Math.max(it.per_second ?? 0, emitted.get(it.type) ?? 0));
  }
  const inward = sumTypes(edges.filter((edge) => edge.to === name)).rate;
  return t.map.inOut(roughRate(inward), roughRate(sumOf([...emitted.values()])), inward != null, emitted.size > 0);
}

const SQUEEZED = 0.85;

/**
 * Fits a text into a width: squeezes it a little, else cuts it. Widths of fonts differ, so the width of a character is
 * that of a wide one.
 */
function fitted(text, width, character) {
  const fits = Math.floor(width / (character * SQUEEZED));
  const cut = text.length > fits ? `${text.slice(0, fits - 1)}…` : text;
  return { text: cut, textLength: cut.length * character > width ? width : undefined };
}
