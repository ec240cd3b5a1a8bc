// The frame of all pages: signing in, navigation, the state of the live values, and the choice of the page.
import { html, render, useEffect, useState } from './vendor/vendor.js';
import { forgetMissing, Problem, session, toSignIn, useMissing } from './lib/api.js';
import { currentZone, exact, seconds, setZone } from './lib/format.js';
import { isPaused, isStale, setPaused, startLive, useFlowPart, useLiveStatus } from './lib/live.js';
import { currentRoute, interceptLinks, navigate, url, useRoute } from './lib/router.js';
import { isDown } from './lib/map.js';
import { announce, Empty, moveRow, Page, ProblemBox, Skeleton, useModule, useNow } from './lib/ui.js';
import { t } from './lib/strings.js';

/** Patterns of paths, the pages that show them, and the place in the navigation that they belong to. */
const PAGES = [
  [/^\/$/, () => import('./pages/flow.js'), '/'],
  [/^\/orders$/, () => import('./pages/orders.js'), '/orders'],
  [/^\/orders\/([^/]+)$/, () => import('./pages/order.js'), '/orders'],
  [/^\/events$/, () => import('./pages/events.js'), '/events'],
  [/^\/events\/([^/]+)$/, () => import('./pages/event.js'), '/events'],
  [/^\/dlq$/, () => import('./pages/dlq.js'), '/dlq'],
  [/^\/dlq\/([^/]+)$/, () => import('./pages/dead-letter.js'), '/dlq'],
  [/^\/services$/, () => import('./pages/services.js'), '/services'],
  [/^\/services\/([^/]+)$/, () => import('./pages/service.js'), '/services'],
  [/^\/mail$/, () => import('./pages/mail.js'), '/mail'],
  [/^\/mail\/([^/]+)$/, () => import('./pages/mail.js'), '/mail'],
  [/^\/try$/, () => import('./pages/try.js'), '/try'],
  [/^\/sign-in$/, () => import('./pages/sign-in.js'), null],
];

function pageOf(path) {
  for (const [pattern, load, place] of PAGES) {
    const match = pattern.exec(path);
    if (match) return { load, place, id: match[1] };
  }
  return null;
}

function App() {
  const route = useRoute();
  const page = pageOf(route.path);
  const [actor, setActor] = useState({ state: 'asking' });
  const isSignIn = route.path === '/sign-in';
  useEffect(() => {
    if (!isSignIn || linkOf(location.hash)) enter().then(setActor);
  }, [isSignIn]);
  useEffect(forgetMissing, [route.path]);
  const module = useModule(page?.load ?? (() => Promise.resolve(null)), page?.load);
  if (isSignIn) return html`<main class="lone">${module?.default && html`<${module.default} />`}</main>`;
  if (actor.state === 'problem') return html`<main class="lone"><${ProblemBox} problem=${actor.problem} retry=${() => enter().then(setActor)} /></main>`;
  if (actor.state !== 'in') return html`<main class="lone"><${Skeleton} /></main>`;
  return html`
    <a class="skip" href="#main" onClick=${skip}>${t.skip}</a>
    <${TopBar} place=${page?.place} session=${actor.session} />
    <main id="main" tabindex="-1">
      <${Notices} />
      <${Content} page=${page} module=${module} session=${actor.session} path=${route.path} />
    </main>
    <${Overlays} features=${actor.session.features} />`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById('main').focus();
}

function Content({ page, module, session: current, path }) {
  if (!page) {
    return html`<${Page} title=${t.noPage.title}><${Empty} title=${t.noPage.title} text=${t.noPage.text(path)}><p><a href="/ui/">${t.noPage.home}</a></p><//><//>`;
  }
  if (module?.failed) return html`<${ProblemBox} problem=${new Problem({ code: 'no_module', detail: String(module.failed.message) })} retry=${() => location.reload()} />`;
  if (!module?.default) return html`<${Skeleton} rows=${8} />`;
  return html`<${module.default} key=${path} id=${page.id} session=${current} />`;
}

/** Signs in by the link of the address bar if there is one, and asks who is signed in. */
async function enter() {
  const link = linkOf(location.hash);
  try {
    if (link) {
      history.replaceState(null, '', location.pathname + location.search);
      await session.signIn({ link });
      if (currentRoute().path === '/sign-in') navigate(url('/'), { replace: true });
    }
    const current = await session.get();
    startLive();
    return { state: 'in', session: { features: {}, ...current } };
  } catch (problem) {
    if (problem.status !== 401 && problem.status !== 429) return { state: 'problem', problem };
    if (link) navigate(url('/sign-in', { reason: problem.status === 429 ? 'limit' : 'link' }), { replace: true });
    else toSignIn();
    return { state: 'out' };
  }
}

/** Finds the secret of a link that signs in once. */
function linkOf(hash) {
  const [, secret] = /^#link=(.+)$/.exec(hash) ?? [];
  return secret && decodeURIComponent(secret);
}

const NAV = [
  ['/', t.nav.flow], ['/orders', t.nav.orders], ['/events', t.nav.events], ['/dlq', t.nav.dlq],
  ['/services', t.nav.services], ['/mail', t.nav.mail], ['/try', t.nav.try],
];

function TopBar({ place, session: current }) {
  const deadLetters = useFlowPart((snapshot) => snapshot.totals?.dead_letters ?? 0);
  const [more, setMore] = useState(false);
  const items = NAV.filter(([path]) => path !== '/try' || current.features?.try);
  return html`
    <header class="bar">
      <a class="brand" href="/ui/"><${Mark} /><span>Tradepost</span></a>
      <nav aria-label=${t.nav.label}><ul>
        ${items.map(([path, text]) => html`<li><a href=${url(path)} aria-current=${path === place ? 'page' : undefined}>${text}${path === '/dlq' && deadLetters > 0
          ? html` <span class="pill bad" title=${t.map.deadLetters(deadLetters)}>${deadLetters > 999 ? '999+' : deadLetters}</span>` : ''}</a></li>`)}
      </ul></nav>
      <div class="tools">
        <${LiveBadge} />
        <button type="button" class="quiet" data-opens="palette" title=${t.palette.title} onClick=${() => open('palette')}>${t.palette.button} <kbd>${isMac ? '⌘' : 'Ctrl'} K</kbd></button>
        <button type="button" class="quiet more" aria-expanded=${more} aria-controls="more-tools" onClick=${() => setMore(!more)}>${t.nav.more}</button>
        <div id="more-tools" class=${more ? 'open' : undefined}>
          <${ZoneSwitch} />
          <${ThemeSwitch} />
          <button type="button" class="quiet" onClick=${() => open('keys')}>${t.keys.button} <kbd>?</kbd></button>
          <button type="button" class="quiet" title=${t.signIn.as(current.actor, exact(current.expires_at))} onClick=${signOut}>${t.signIn.out}</button>
        </div>
      </div>
    </header>`;
}

const Mark = () => html`<svg class="mark" viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
  <rect width="32" height="32" rx="7" /><path d="M8 11h9m-9 5h16m-9 5h9" /><circle cx="21.5" cy="11" r="2.6" /><circle cx="10.5" cy="21" r="2.6" /></svg>`;

const isMac = /mac/i.test(navigator.userAgentData?.platform ?? navigator.platform ?? '');

async function signOut() {
  await session.signOut().catch(() => null);
  location.assign(url('/sign-in'));
}

function LiveBadge() {
  const live = useLiveStatus();
  const now = useNow();
  const stale = isStale(live);
  const age = live.heard ? (now - live.heard) / 1000 : (now - live.since) / 1000;
  useEffect(() => {
    if (stale) announce(t.live.broken, { change: true });
    else if (live.state === 'open' && live.heard) announce(t.live.back, { change: true });
  }, [stale]);
  const [kind, text] = live.paused ? ['off', t.live.paused]
    : stale ? ['warn', t.live.stale(seconds(Math.max(Math.round(age), 1)))]
    : live.state === 'absent' ? ['off', t.live.absent]
    : live.state === 'open' ? ['good', t.live.live] : ['off', t.live.connecting];
  return html`<button type="button" class="live ${kind}" aria-pressed=${live.paused} title=${t.live.title} onClick=${() => setPaused(!live.paused)}>
    <span aria-hidden="true">${live.paused ? '❚❚' : stale ? '!' : '●'}</span> ${text}</button>`;
}

function ZoneSwitch() {
  const change = () => {
    setZone(currentZone() === 'utc' ? 'local' : 'utc');
    redraw();
  };
  return html`<button type="button" class="quiet" title=${t.zone.title} onClick=${change}>${t.zone[currentZone()]}</button>`;
}

const THEMES = ['system', 'light', 'dark'];

function ThemeSwitch() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? 'system');
  const change = () => {
    const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    applyTheme(next);
    setTheme(next);
  };
  return html`<button type="button" class="quiet" title=${t.theme.title} onClick=${change}>${t.theme[theme]}</button>`;
}

function applyTheme(theme) {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem('tradepost.theme', theme);
  } catch { /* A browser without storage forgets the choice. */ }
  dispatchEvent(new Event('tradepost-theme'));
}

function Notices() {
  const missing = useMissing();
  const away = useFlowPart((snapshot) => snapshot.services.filter(isDown).map((it) => it.service).join());
  const names = [...new Set([...missing, ...(away ? away.split(',') : [])])].sort();
  useEffect(() => { if (names.length) announce(t.missing(names), { change: true }); }, [names.join()]);
  if (!names.length) return null;
  return html`<p class="notice warn"><span aria-hidden="true">! </span>${t.missing(names)}</p>`;
}

/** The sheet of keys and the palette, loaded when first opened. */
function Overlays({ features }) {
  const [name, setName] = useState(null);
  useEffect(() => {
    const show = ({ detail }) => setName(detail);
    addEventListener('tradepost-open', show);
    return () => removeEventListener('tradepost-open', show);
  }, []);
  const module = useModule(() => (name ? import('./pages/overlays.js') : Promise.resolve(null)), name !== null);
  const Overlay = name && module?.[name];
  return html`<div id="live-region" class="hidden" role="status" aria-live="polite"></div>
    ${Overlay && html`<${Overlay} features=${features} onClose=${() => setName(null)} />`}`;
}

const open = (name) => dispatchEvent(new CustomEvent('tradepost-open', { detail: name }));

const GO_MS_MAX = 1200;
const GO_TO = { f: '/', o: '/orders', e: '/events', d: '/dlq', s: '/services', m: '/mail', t: '/try' };
let wentAt = 0;

/** Handles the keys of all pages. Keys of one letter can be turned off in the sheet of keys. */
function onKey(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
    event.preventDefault();
    open('palette');
    return;
  }
  const isTyping = event.target.closest?.('input, textarea, select, dialog, [contenteditable]');
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || singleKeysOff()) return;
  const isGo = Date.now() - wentAt < GO_MS_MAX;
  wentAt = event.key === 'g' ? Date.now() : 0;
  if (isGo && GO_TO[event.key]) navigate(url(GO_TO[event.key]));
  else KEYS[event.key]?.(event);
}

const KEYS = {
  '?': () => open('keys'),
  '/': (event) => { const field = document.querySelector('[data-search]'); if (field) { event.preventDefault(); field.focus(); } },
  j: () => moveRow(1),
  k: () => moveRow(-1),
  ' ': (event) => {
    if (event.target.closest?.('button, a, summary, [role=button]')) return;
    event.preventDefault();
    setPaused(!isPaused());
  },
};

function singleKeysOff() {
  try {
    return localStorage.getItem('tradepost.keys') === 'off';
  } catch {
    return false;
  }
}

function redraw() {
  render(html`<${App} key=${currentZone()} />`, document.getElementById('app'));
}

function start() {
  try {
    applyTheme(localStorage.getItem('tradepost.theme') ?? 'system');
  } catch { /* The system's theme stays. */ }
  interceptLinks();
  addEventListener('keydown', onKey);
  addEventListener('hashchange', () => { if (linkOf(location.hash)) location.reload(); });
  document.getElementById('app').replaceChildren();
  redraw();
}

start();
