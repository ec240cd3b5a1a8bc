// All services at a glance, and the alerts that a person should look at.
import { html } from '../vendor/vendor.js';
import { get, send, useLoad } from '../lib/api.js';
import { useFlow } from '../lib/live.js';
import { Badge, Data, Loaded, Page, Status, Time } from '../lib/ui.js';
import { isDown } from '../lib/map.js';
import { Copies } from '../lib/commands.js';
import { bytes, count, ms, rate, seconds } from '../lib/format.js';
import { url } from '../lib/router.js';
import { t } from '../lib/strings.js';
import '../lib/style.js';

/** @returns the page at `/ui/services` */
export default function Services() {
  const state = useLoad(async () => {
    const [services, alerts] = await Promise.all([get('/v1/services'), get('/v1/alerts', { limit: 50 }).catch(() => null)]);
    return { services: services.items, alerts: alerts?.items.filter((it) => it.status !== 'resolved') ?? null };
  }, []);
  return html`
    <${Page} title=${t.nav.services} actions=${html`<button type="button" onClick=${state.reload}>${t.refresh}</button>
      <${Copies} call=${['GET', '/v1/services']} command="tradepost health" />`}>
      <${Loaded} state=${state} rows=${13}>${({ services, alerts }) => html`
        <div class="stack">
          <${Alerts} alerts=${alerts} reload=${state.reload} />
          <${Table} services=${services} />
        </div>`}<//>
    <//>`;
}

function Alerts({ alerts, reload }) {
  if (!alerts?.length) return null;
  const acknowledge = (it) => send('POST', `/v1/alerts/${it.alert_id}/acknowledge`).then(reload, reload);
  return html`
    <section class="card"><header class="card-head"><h2>${t.services.alerts(alerts.length)}</h2></header>
      <ul class="alerts">${alerts.map((it) => html`
        <li key=${it.alert_id}><${Badge} kind=${it.status === 'open' ? 'warn' : 'busy'}>${t.services.alertKinds[it.kind] ?? it.kind}<//>
          <span><${Data}>${it.detail}<//></span><span class="note"><${Time} at=${it.since} /></span>
          ${it.status === 'open' ? html`<button type="button" class="quiet" onClick=${() => acknowledge(it)}>${t.services.acknowledge}</button>` : html`<${Status} value=${it.status} />`}</li>`)}</ul>
    </section>`;
}

/** Services with the live numbers of the flow. */
function Table({ services }) {
  const snapshot = useFlow();
  const live = new Map(snapshot?.services.map((it) => [it.service, it]) ?? []);
  return html`
    <div class="card table-scroll"><table>
      <thead><tr>${t.services.columns.map((name, index) => html`<th scope="col" class=${index > 2 ? 'num' : undefined}>${name}</th>`)}</tr></thead>
      <tbody>${services.map((it) => html`<${Row} key=${it.service} service=${it} now=${live.get(it.service)} />`)}</tbody>
    </table></div>`;
}

function Row({ service, now }) {
  const state = now?.state ?? service.state;
  const reason = now?.reason ?? service.reason;
  const { instances, consumers } = service;
  const pending = now?.outbox_pending ?? service.outbox?.pending;
  const letters = now?.dead_letters ?? service.dead_letters;
  const memory = instances?.reduce((sum, it) => sum + (it.memory_bytes ?? 0), 0);
  return html`
    <tr class=${isDown({ state }) ? 'off' : undefined}>
      <td><a href=${url(`/services/${encodeURIComponent(service.service)}`)} data-row>${service.service}</a></td>
      <td><${Status} value=${state} /></td>
      <td class="wide">${reason ? html`<${Data}>${reason}<//>` : html`<span class="note">${instances?.map((it) => it.version).filter((it, index, all) => all.indexOf(it) === index).join(', ')}</span>`}</td>
      <td class="num">${count(instances?.length ?? now?.instances)}</td>
      <td class="num">${memory ? bytes(memory) : '–'}</td>
      <td class="num">${rate(consumers?.reduce((sum, it) => sum + (it.per_second ?? 0), 0))}</td>
      <td class="num">${ms(consumers?.length ? Math.max(...consumers.map((it) => it.p99_ms ?? 0)) : null)}</td>
      <td class="num">${count(now?.queued)}</td>
      <td class="num">${count(pending)}${pending > 0 && now?.oldest_unsent_seconds > 1 ? html` <small>${seconds(now.oldest_unsent_seconds)}</small>` : ''}</td>
      <td class="num">${count(now?.timers_due ?? service.timers_due)}</td>
      <td class="num">${letters > 0 ? html`<a href=${url('/dlq', { consumer: service.service })}>${count(letters)}</a>` : count(letters)}</td>
    </tr>`;
}

