// The start page: numbers of now, the map of events between services, and the last 15 minutes.
import { html, useEffect, useMemo, useState } from '../vendor/vendor.js';
import { get, orElse } from '../lib/api.js';
import { isStale, subscribe, useFlow, useLiveStatus } from '../lib/live.js';
import { FlowMap } from '../lib/map.js';
import { Chart } from '../lib/chart.js';
import { announce, Empty, Page, ProblemBox, Skeleton, Time, useModule, Views } from '../lib/ui.js';
import { count, ms, rate, seconds } from '../lib/format.js';
import { useRoute } from '../lib/router.js';
import { t } from '../lib/strings.js';

const OLD_SECONDS = 5;
const POINTS_MAX = 180;
const POINT_SECONDS = 5;

const details = () => import('./flow-details.js');

/** @returns the page at `/ui/` */
export default function Flow() {
  const { query } = useRoute();
  const live = useLiveStatus();
  const { snapshot, problem, retry } = useSnapshot(live.state);
  const needsDetails = query.view === 'table' || Boolean(query.edge);
  const parts = useModule(() => (needsDetails ? details() : Promise.resolve(null)), needsDetails);
  const views = html`<${Views} name="view" label=${t.flow.views} options=${[['map', t.flow.map], ['table', t.flow.table]]} />`;
  if (!snapshot) {
    return html`<${Page} title=${t.nav.flow} actions=${views}>
      ${problem ? html`<${ProblemBox} problem=${problem} retry=${retry} />` : html`<${Skeleton} rows=${8} />`}<//>`;
  }
  const stale = isStale(live) || live.paused ? ' stale' : '';
  return html`
    <${Page} title=${t.nav.flow} actions=${views}>
      <div class="flow${stale}">
        <${Numbers} totals=${snapshot.totals} />
        <${Books} books=${snapshot.books} />
        <div class="flow-main${query.edge ? ' with-panel' : ''}">
          <div class="card">
            ${query.view === 'table'
              ? parts && !parts.failed && html`<${parts.EdgeTable} snapshot=${snapshot} />`
              : html`
                <div class="map-scroll" tabindex="0" role="region" aria-label=${t.map.scroll}><${FlowMap} snapshot=${snapshot} selected=${query.edge} /></div>
                <${Legend} />`}
          </div>
          ${query.edge && parts && !parts.failed && html`<${parts.EdgePanel} key=${query.edge} edge=${query.edge} snapshot=${snapshot} />`}
        </div>
        <${History} />
        ${isQuiet(snapshot) && html`<${Empty} title=${t.flow.quiet} text=${t.flow.quietText} command=${t.flow.quietCommand}>
          <p><a href="/ui/try">${t.flow.tryIt}</a></p><//>`}
      </div>
    <//>`;
}

/** Takes snapshots from the stream, or by polling where the server has no stream. */
function useSnapshot(state) {
  const streamed = useFlow();
  const [polled, setPolled] = useState(null);
  const [problem, setProblem] = useState(null);
  const poll = () => get('/v1/flow').then((data) => { setPolled(data); setProblem(null); }, setProblem);
  useEffect(() => {
    if (state !== 'absent' && state !== 'broken') return undefined;
    if (!streamed) poll();
    const timer = state === 'absent' ? setInterval(() => { if (!document.hidden) poll(); }, 2000) : null;
    return () => clearInterval(timer);
  }, [state, streamed === null]);
  return { snapshot: state === 'absent' ? polled ?? streamed : streamed ?? polled, problem, retry: poll };
}

const isQuiet = (snapshot) => snapshot.edges.every((edge) => (edge.types ?? []).every((it) => !it.total && !it.per_second));

function Numbers({ totals }) {
  const old = totals.oldest_unsent_seconds > OLD_SECONDS;
  return html`
    <dl class="numbers" aria-label=${t.flow.numbers}>
      <${Number} label=${t.flow.ordersPerSecond} value=${rate(totals.orders_per_second)} />
      <${Number} label=${t.flow.paidP50} value=${ms(totals.paid_ms?.p50)} />
      <${Number} label=${t.flow.paidP99} value=${ms(totals.paid_ms?.p99)} />
      <${Number} label=${t.flow.inFlight} value=${count(totals.in_flight)} />
      <${Number} label=${t.flow.oldestUnsent} value=${seconds(totals.oldest_unsent_seconds)} warn=${old} note=${totals.outbox_pending ? t.flow.unsent(totals.outbox_pending) : null} />
      <${Number} label=${t.flow.deadLetters} value=${count(totals.dead_letters)} warn=${totals.dead_letters > 0} href="/ui/dlq" />
    </dl>`;
}

function Number({ label, value, note, warn = false, href }) {
  const text = html`${warn && html`<span class="sign" aria-hidden="true">! </span>`}${value}`;
  return html`
    <div class=${warn ? 'warn' : undefined}>
      <dt>${label}</dt>
      <dd>${href ? html`<a href=${href}>${text}</a>` : text}${note && html`<small>${note}</small>`}</dd>
    </div>`;
}

function Books({ books }) {
  const balanced = books?.balanced;
  useEffect(() => {
    if (balanced === false) announce(t.flow.booksWrong, { change: true });
  }, [balanced]);
  if (!books || balanced == null) return html`<p class="books off"><span aria-hidden="true">○ </span>${t.flow.booksUnknown}</p>`;
  const wrong = books.checks.filter((check) => !check.ok);
  return html`
    <details class="books ${balanced ? 'good' : 'bad'}" open=${!balanced}>
      <summary>
        <strong><span aria-hidden="true">${balanced ? '✓' : '✕'} </span>${balanced ? t.flow.booksRight : t.flow.booksWrong}</strong>
        <span class="note">${t.flow.checked} <${Time} at=${books.checked_at} /></span>
      </summary>
      <ul>${(balanced ? books.checks : [...wrong, ...books.checks.filter((check) => check.ok)]).map((check) => html`
        <li><span aria-hidden="true">${check.ok ? '✓' : '✕'}</span> <strong>${t.flow.bookNames[check.name] ?? check.name}</strong> ${check.detail}</li>`)}</ul>
    </details>`;
}

const Legend = () => html`
  <p class="legend">
    <span><svg width="30" height="8" aria-hidden="true"><path class="dashed" d="M1 4h28" /></svg>${t.map.legendEvents}</span>
    <span><svg width="30" height="8" aria-hidden="true"><path class="solid" d="M1 4h28" /></svg>${t.map.legendHttp}</span>
    <span>${t.map.legendLabel}</span>
    <span><b class="warn">!</b> ${t.map.legendWarn} <b class="bad">✕</b> ${t.map.legendBad} <b class="off">○</b> ${t.map.legendOff}</span>
  </p>`;

/** The last 15 minutes: what the server has, and each fifth second of what arrives since. */
function History() {
  const [points, setPoints] = useState(null);
  const [asTable, setAsTable] = useState(false);
  useEffect(() => {
    let active = true;
    orElse(get('/v1/flow/history'), { points: [] }).then(({ points: past }) => { if (active) setPoints((now) => [...past, ...(now ?? [])].slice(-POINTS_MAX)); }, () => { if (active) setPoints((now) => now ?? []); });
    const leave = subscribe('flow', (snapshot) => setPoints((now) => added(now, snapshot)));
    return () => { active = false; leave(); };
  }, []);
  const data = useMemo(() => columns(points ?? []), [points]);
  if (!points) return html`<${Skeleton} rows=${3} />`;
  const last = points[points.length - 1];
  return html`
    <section class="card history">
      <header class="card-head">
        <h2>${t.flow.history}</h2>
        <ul class="keys">${SERIES.map((it) => html`<li class=${it.className}>${it.label}</li>`)}</ul>
        <button type="button" class="quiet" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>${t.flow.asTable}</button>
      </header>
      ${points.length < 2 ? html`<p class="note">${t.flow.noHistory}</p>`
        : asTable ? html`<${HistoryTable} points=${points} />`
        : html`<${Chart} data=${data} series=${SERIES} label=${t.flow.chartLabel(rate(last.orders_per_second), ms(last.paid_p99_ms), count(last.in_flight))} />`}
    </section>`;
}

const SERIES = [
  { label: t.flow.ordersPerSecond, scale: 'rate', unit: '/s', color: '--series-1', className: 'series-1' },
  { label: t.flow.paidP99, scale: 'ms', unit: ' ms', color: '--series-2', className: 'series-2', dash: [6, 3] },
  { label: t.flow.inFlight, scale: 'count', unit: '', color: '--series-3', className: 'series-3', dash: [2, 3] },
];

function added(points, snapshot) {
  if (!points) return points;
  const last = points[points.length - 1];
  if (last && new Date(snapshot.at) - new Date(last.at) < POINT_SECONDS * 1000) return points;
  const { orders_per_second, paid_ms, in_flight, dead_letters } = snapshot.totals;
  return [...points, { at: snapshot.at, orders_per_second, paid_p99_ms: paid_ms?.p99 ?? null, in_flight, dead_letters }].slice(-POINTS_MAX);
}

const columns = (points) => [
  points.map((it) => new Date(it.at).getTime() / 1000), points.map((it) => it.orders_per_second),
  points.map((it) => it.paid_p99_ms), points.map((it) => it.in_flight),
];

const HistoryTable = ({ points }) => html`
  <div class="table-scroll short" tabindex="0" role="region" aria-label=${t.flow.history}>
    <table>
      <thead><tr><th scope="col">${t.flow.at}</th><th scope="col" class="num">${t.flow.ordersPerSecond}</th><th scope="col" class="num">${t.flow.paidP99}</th>
        <th scope="col" class="num">${t.flow.inFlight}</th><th scope="col" class="num">${t.flow.deadLetters}</th></tr></thead>
      <tbody>${[...points].reverse().filter((_, index) => index % 6 === 0).map((it) => html`
        <tr><td><${Time} at=${it.at} /></td><td class="num">${rate(it.orders_per_second)}</td><td class="num">${ms(it.paid_p99_ms)}</td>
          <td class="num">${count(it.in_flight)}</td><td class="num">${count(it.dead_letters)}</td></tr>`)}</tbody>
    </table>
  </div>`;
