// The sheet of keys and the palette, which finds pages, orders, events and actions.
import { html, useEffect, useMemo, useState } from '../vendor/vendor.js';
import { get } from '../lib/api.js';
import { isPaused, setPaused } from '../lib/live.js';
import { Data, Dialog } from '../lib/ui.js';
import { navigate, url } from '../lib/router.js';
import { t } from '../lib/strings.js';
import '../lib/style.js';

/** The sheet of keys. */
export function keys({ onClose }) {
  const [off, setOff] = useState(() => localStorage.getItem('tradepost.keys') === 'off');
  const change = () => {
    localStorage.setItem('tradepost.keys', off ? 'on' : 'off');
    setOff(!off);
  };
  return html`
    <${Dialog} title=${t.keys.title} onClose=${onClose}>
      <dl class="key-list">${t.keys.rows.map(([key, text]) => html`<dt>${key.split(' ').map((it) => (it === 'or' ? ' or ' : html`<kbd>${it}</kbd> `))}</dt>
        <dd>${text}</dd>`)}</dl>
      <label class="check"><input type="checkbox" checked=${!off} onChange=${change} /> ${t.keys.off}</label>
      <p class="note">${t.keys.offHelp}</p>
      <p><a href="/ui/vendor/LICENSES.txt" target="_blank" rel="noopener">${t.keys.licences}</a></p>
    <//>`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const LIVE_ORDERS_MAX = 5;

/** The palette. */
export function palette({ features, onClose }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const found = useOrders(text);
  const results = useMemo(() => [...ids(text), ...places(text, features), ...found, ...searches(text)], [text, found]);
  useEffect(() => setAt(0), [text]);
  const choose = (result) => {
    onClose();
    if (result.to) navigate(result.to);
    else result.run();
  };
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setAt((at + step + results.length) % Math.max(results.length, 1));
    } else if (event.key === 'Enter' && results[at]) {
      event.preventDefault();
      choose(results[at]);
    }
  };
  return html`
    <${Dialog} title=${t.palette.title} onClose=${onClose}>
      <input type="text" role="combobox" aria-expanded="true" aria-controls="palette-results" aria-activedescendant=${results.length ? `palette-${at}` : undefined} aria-label=${t.palette.placeholder}
        placeholder=${t.palette.placeholder} value=${text} autocomplete="off" spellcheck=${false} maxlength="200" autofocus onInput=${(event) => setText(event.target.value)} onKeyDown=${onKeyDown} />
      <ul id="palette-results" class="results" role="listbox" aria-label=${t.palette.results}>${results.map((it, index) => html`
        <li id=${`palette-${index}`} role="option" aria-selected=${index === at} onClick=${() => choose(it)} onMouseMove=${() => index !== at && setAt(index)}>
          <${Data}>${it.text}<//><span class="note">${it.kind}</span></li>`)}</ul>
      ${results.length === 0 && html`<p class="note">${t.palette.none}</p>`}
      <p class="note">${t.palette.hint}</p>
    <//>`;
}

/** Orders that match, asked when typing stops. */
function useOrders(text) {
  const [found, setFound] = useState([]);
  const wanted = text.trim();
  useEffect(() => {
    setFound([]);
    if (wanted.length < 2 || UUID.test(wanted)) return undefined;
    let active = true;
    const timer = setTimeout(() => get('/v1/orders', { q: wanted, limit: LIVE_ORDERS_MAX }).then(({ items }) => {
      if (active) setFound(items.map((it) => ({ text: `${t.palette.order(it.number)} · ${it.email}`, kind: t.status[it.status] ?? it.status, to: url(`/orders/${it.order_id}`) })));
    }, () => {}), 200);
    return () => { active = false; clearTimeout(timer); };
  }, [wanted]);
  return found;
}

/** Places that a text leads to if it is an id or a number. */
function ids(text) {
  const wanted = text.trim();
  if (/^\d+$/.test(wanted)) return [{ text: t.palette.order(wanted), kind: t.nav.orders, to: url(`/orders/${wanted}`) }];
  if (!UUID.test(wanted)) return [];
  return [['/orders', t.nav.orders], ['/events', t.nav.events], ['/dlq', t.nav.dlq]].map(([path, kind]) => ({ text: wanted, kind, to: url(`${path}/${wanted}`) }));
}

function searches(text) {
  const wanted = text.trim();
  if (!wanted) return [];
  return [
    { text: t.palette.searchOrders(wanted), kind: t.nav.orders, to: url('/orders', { q: wanted }) },
    { text: t.palette.eventsOf(wanted), kind: t.nav.events, to: url('/events', { text: wanted }) },
  ];
}

function places(text, features) {
  const pages = [['/', t.nav.flow], ['/orders', t.nav.orders], ['/events', t.nav.events], ['/dlq', t.nav.dlq], ['/services', t.nav.services], ['/mail', t.nav.mail], ...(features?.try ? [['/try', t.nav.try]] : [])];
  const all = [
    ...pages.map(([path, name]) => ({ text: name, kind: t.palette.page, to: url(path) })),
    { text: t.palette.pause, kind: t.palette.action, run: () => setPaused(!isPaused()) },
    { text: t.keys.title, kind: t.palette.action, run: () => dispatchEvent(new CustomEvent('tradepost-open', { detail: 'keys' })) },
  ];
  return all.filter((it) => it.text.toLowerCase().includes(text.trim().toLowerCase()));
}
