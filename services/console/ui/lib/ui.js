// Components that all pages share.
import { html, useEffect, useRef, useState } from '../vendor/vendor.js';
import { setQuery, useRoute } from './router.js';
import { exact, relative } from './format.js';
import { t } from './strings.js';

export { html };

/** A page: its title, what can be done with all of it, and its content. */
export function Page({ title, note, actions, children }) {
  const heading = useRef(null);
  useEffect(() => { document.title = `${title} · Tradepost`; }, [title]);
  useEffect(() => { if (document.activeElement === document.body) heading.current?.focus({ preventScroll: true }); }, []);
  return html`
    <header class="page-head">
      <div><h1 ref=${heading} tabindex="-1">${title}</h1>${note && html`<p class="note">${note}</p>`}</div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}`;
}

const SIGNS = { good: '✓', busy: '•', warn: '!', bad: '✕', off: '○' };

/** A status as a sign, a colour and a word. @param {{kind: 'good'|'busy'|'warn'|'bad'|'off', children: any}} props */
export function Badge({ kind, children }) {
  return html`<span class="badge ${kind}"><span class="sign" aria-hidden="true">${SIGNS[kind]}</span>${children}</span>`;
}

const STATUS_KINDS = {
  good: ['paid', 'shipped', 'delivered', 'captured', 'succeeded', 'done', 'ready', 'sent', 'resolved', 'dispatched', 'received'],
  busy: ['placed', 'reserved', 'requested', 'charging', 'pending', 'queued', 'cancelling', 'refunding', 'running', 'acknowledged'],
  warn: ['backordered', 'retrying', 'waiting', 'degraded', 'partially_refunded', 'open', 'held'],
  bad: ['rejected', 'failed', 'parked', 'unavailable', 'stuck'],
  off: ['cancelled', 'refunded', 'voided', 'none', 'unreachable', 'discarded', 'stopped'],
};
const KIND_OF = new Map(Object.entries(STATUS_KINDS).flatMap(([kind, names]) => names.map((name) => [name, kind])));

/** The kind of a status of an order, payment, delivery or service. */
export const statusKind = (status) => KIND_OF.get(status) ?? 'off';

/** A status by its name on the wire. */
export const Status = ({ value }) => html`<${Badge} kind=${statusKind(value)}>${t.status[value] ?? value}<//>`;

/** Text from data: kept apart from the direction of the text around it. */
export const Data = ({ children, mono }) => html`<bdi class=${mono ? 'mono' : undefined}>${children}</bdi>`;

/** A time relative to now, with the exact one as its title. */
export function Time({ at }) {
  const now = useNow();
  if (!at) return '–';
  return html`<time datetime=${at} title=${exact(at)}>${relative(at, now)}</time>`;
}

const tickListeners = new Set();
setInterval(() => { if (!document.hidden) for (const listener of tickListeners) listener(Date.now()); }, 1000);

/** The current time, renewed each second while the page is visible. */
export function useNow() {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    tickListeners.add(setNow);
    return () => tickListeners.delete(setNow);
  }, []);
  return now;
}

/** A button that copies a text. `name` says more than its label where that is short. */
export function Copy({ text, label = t.copy.text, name, title }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await copyText(text);
    setDone(true);
    announce(t.copy.done);
    setTimeout(() => setDone(false), 1600);
  };
  return html`<button type="button" class="quiet" title=${title ?? text} aria-label=${done ? undefined : name} onClick=${copy}>${done ? t.copy.done : label}</button>`;
}

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).catch(() => copyBySelection(text));
  return copyBySelection(text);
}

// The clipboard of the browser is absent where the page is not served over TLS or loopback.
function copyBySelection(text) {
  const area = document.createElement('textarea');
  area.value = text;
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

/** A refusal: what is wrong, what can be done, and the id to look for in the log. */
export function ProblemBox({ problem, retry, children }) {
  const wait = problem.retryAfter ? t.problem.retryAfter(problem.retryAfter) : null;
  return html`
    <section class="problem" role="alert">
      <h2>${t.problem.titles[problem.code] ?? (problem.title || t.problem.title)}</h2>
      ${problem.detail && html`<p><${Data}>${problem.detail}<//></p>`}
      ${problem.errors?.map((error) => html`<p><code>${error.field}</code>: ${error.detail}</p>`)}
      <p class="note">${[t.problem.remedies[problem.code] ?? t.problem.remedyOf(problem.status), wait].filter(Boolean).join(' ')}</p>
      ${problem.requestId && html`<p class="note">${t.problem.requestId} <code>${problem.requestId}</code></p>`}
      <div class="actions">${retry && html`<button type="button" onClick=${retry}>${t.problem.retry}</button>`}${children}</div>
    </section>`;
}

/** The content of a page without rows: why there are none, and what to do. */
export function Empty({ title, text, command, children }) {
  return html`
    <section class="empty">
      <h2>${title}</h2>
      ${text && html`<p>${text}</p>`}
      ${command && html`<p class="command"><code>${command}</code><${Copy} text=${command} /></p>`}
      ${children}
    </section>`;
}

/** Grey bars in place of what is being loaded. */
export const Skeleton = ({ rows = 6 }) => html`
  <div class="skeleton" role="status" aria-label=${t.loading}>${Array.from({ length: rows }, () => html`<span></span>`)}</div>`;

/**
 * Shows the skeleton, the problem or the content of what `useLoad` answers.
 * @param {{state: any, rows?: number, title?: string, back?: [string, string], children: (data: any) => any}} props
 * `title` is that of the page while its content is not there, `back` the address and name of where to go instead.
 */
export function Loaded({ state, rows, title, back, children }) {
  if (title && !state.data) {
    return html`<${Page} title=${title}>${state.problem ? html`<${ProblemBox} problem=${state.problem} retry=${state.reload}>${back && html`<a class="button" href=${back[0]}>${back[1]}</a>`}<//>` : html`<${Skeleton} rows=${rows} />`}<//>`;
  }
  if (state.problem && !state.data) return html`<${ProblemBox} problem=${state.problem} retry=${state.reload} />`;
  if (!state.data) return html`<${Skeleton} rows=${rows} />`;
  return html`${state.problem && html`<${ProblemBox} problem=${state.problem} retry=${state.reload} />`}${children(state.data)}`;
}

/** A choice between views. Its value is a parameter of the URL, which the first option leaves out. */
export function Views({ name, label, options }) {
  const { query } = useRoute();
  const value = query[name] ?? options[0][0];
  return html`
    <div class="views" role="group" aria-label=${label}>
      ${options.map(([key, text], index) => html`
        <button type="button" aria-pressed=${key === value} onClick=${() => setQuery({ [name]: index === 0 ? null : key })}>${text}</button>`)}
    </div>`;
}

/** A filter whose value is a parameter of the URL. */
export function SelectFilter({ name, label, options, also = {} }) {
  const { query } = useRoute();
  return html`
    <label class="filter"><span>${label}</span>
      <select value=${query[name] ?? ''} onChange=${(event) => setQuery({ ...also, [name]: event.target.value, cursor: null })}>
        <option value="">${t.filter.any}</option>
        ${options.map(([value, text]) => html`<option value=${value} selected=${value === query[name]}>${text}</option>`)}
        ${query[name] && !options.some(([value]) => value === query[name]) && html`<option value=${query[name]} selected>${query[name]}</option>`}
      </select>
    </label>`;
}

/** A text filter: its value goes to the URL when typing stops. */
export function TextFilter({ name, label, placeholder, search = false, type = 'search' }) {
  const { query } = useRoute();
  const [text, setText] = useState(query[name] ?? '');
  const typed = useRef(null);
  useEffect(() => { if (typed.current === null) setText(query[name] ?? ''); }, [query[name]]);
  const apply = (value) => { typed.current = null; setQuery({ [name]: value.trim(), cursor: null }); };
  const input = ({ target: { value } }) => {
    setText(value);
    clearTimeout(typed.current);
    typed.current = setTimeout(() => apply(value), 300);
  };
  return html`
    <label class="filter"><span>${label}</span>
      <input type=${type} value=${text} placeholder=${placeholder} data-search=${search ? '' : undefined} maxlength="200" autocomplete="off"
        spellcheck=${false} onInput=${input} onKeyDown=${(event) => { if (event.key === 'Enter') { clearTimeout(typed.current); apply(text); } }} />
    </label>`;
}

/** A dialog of the browser, which keeps the focus and gives it back. */
export function Dialog({ title, onClose, children, wide = false }) {
  const ref = useRef(null);
  useEffect(() => {
    const opener = document.activeElement;
    ref.current.showModal();
    return () => opener?.focus?.();
  }, []);
  return html`
    <dialog ref=${ref} class=${wide ? 'wide' : undefined} aria-label=${title} onClose=${onClose} onClick=${(event) => { if (event.target === ref.current) onClose(); }}>
      <div class="dialog">
        <header><h2>${title}</h2><button type="button" class="icon" aria-label=${t.close} onClick=${onClose}>✕</button></header>
        ${children}
      </div>
    </dialog>`;
}

/** Moves the focus between links marked with `data-row` by `j` and `k`. */
export function moveRow(step) {
  const rows = [...document.querySelectorAll('[data-row]')];
  if (!rows.length) return;
  const at = rows.indexOf(document.activeElement.closest?.('[data-row]'));
  const next = rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
  next.focus();
  next.scrollIntoView({ block: 'nearest' });
}

/** Loads a module that is not part of the first screen. @returns the module, `{failed}`, or null until it is there. */
export function useModule(load, key) {
  const [loaded, setLoaded] = useState({ key: null, module: null });
  useEffect(() => {
    let active = true;
    const settle = (module) => { if (active) setLoaded({ key, module }); };
    load().then(settle, (failed) => settle({ failed }));
    return () => { active = false; };
  }, [key]);
  // The module before is not shown in place of the one that is asked for now.
  return loaded.key === key ? loaded.module : null;
}

const ANNOUNCE_MS_MIN = 10_000;
let announced = { at: 0, timer: null };

/** Says something to screen readers: at once on request, state changes at most each ten seconds. */
export function announce(text, { change = false } = {}) {
  const say = () => {
    const region = document.getElementById('live-region');
    if (region) region.textContent = text;
    announced.at = Date.now();
  };
  clearTimeout(announced.timer);
  const wait = change ? announced.at + ANNOUNCE_MS_MIN - Date.now() : 0;
  if (wait > 0) announced.timer = setTimeout(say, wait);
  else say();
}
