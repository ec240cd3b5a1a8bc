// One service: its instances, consumers and outbox.
import { html } from '../vendor/vendor.js';
import { get, useLoad } from '../lib/api.js';
import { useFlow } from '../lib/live.js';
import { Data, Empty, Loaded, Page, Status, Time, useNow } from '../lib/ui.js';
import { isDown, troubles } from '../lib/map.js';
import { bytes, count, eventName, ms, rate, seconds } from '../lib/format.js';
import { url } from '../lib/router.js';
import { t } from '../lib/strings.js';
import '../lib/style.js';

/** @returns the page at `/ui/services/NAME` */
export default function Service({ id }) {
  const snapshot = useFlow();
  const live = snapshot?.services.find((it) => it.service === id);
  const state = useLoad(async () => (await get('/v1/services')).items.find((it) => it.service === id) ?? {}, [id]);
  return html`
    <${Page} title=${id} note=${html`<a href="/ui/services">${t.nav.services}</a>`} actions=${html`<button type="button" onClick=${state.reload}>${t.refresh}</button>
      <a class="button" href=${url('/events', { service: id })}>${t.services.itsEvents}</a>`}>
      <${Loaded} state=${state} rows=${10}>${(service) => (!service.service && !live ? html`<${Empty} title=${t.services.unknown(id)} text=${t.services.unknownText}><p>
        <a href="/ui/services">${t.nav.services}</a></p><//>`
        : html`<div class="stack">
          <${Readiness} service=${{ ...service, ...live }} />
          <${Instances} instances=${service.instances} />
          <${Consumers} consumers=${service.consumers} />
        </div>`)}<//>
    <//>`;
}

function Readiness({ service }) {
  const found = troubles(service);
  const pending = service.outbox_pending ?? service.outbox?.pending;
  return html`
    <section class="card"><header class="card-head"><h2>${t.services.readiness}</h2><${Status} value=${service.state} /></header><div class="card-body">
      ${service.reason && html`<p class="notice warn"><${Data}>${service.reason}<//></p>`}
      ${isDown(service) ? html`<p class="command"><code>tradepost serve ${service.service}</code></p>`
        : !found.length && html`<p class="good-text"><span aria-hidden="true">✓ </span>${t.services.fine}</p>`}
      <dl class="tiles">
        <div><dt>${t.services.outbox}</dt><dd>${count(pending)}</dd></div>
        <div><dt>${t.services.oldest}</dt><dd>${seconds(service.oldest_unsent_seconds ?? service.outbox?.oldest_seconds)}</dd></div>
        ${service.queued != null && html`<div><dt>${t.services.queued}</dt><dd>${count(service.queued)}</dd></div>`}
        <div><dt>${t.services.timers}</dt><dd>${count(service.timers_due)}</dd></div>
        <div><dt>${t.flow.deadLetters}</dt>
          <dd>${service.dead_letters > 0 ? html`<a href=${url('/dlq', { consumer: service.service })}>${count(service.dead_letters)}</a>` : count(service.dead_letters)}</dd></div>
      </dl>
    </div></section>`;
}

function Instances({ instances }) {
  const now = useNow();
  if (!instances?.length) return null;
  return html`
    <section class="card"><header class="card-head"><h2>${t.services.instances(instances.length)}</h2></header>
      <div class="table-scroll"><table>
        <thead>
          <tr>${t.services.instanceColumns.map((name, index) => html`<th scope="col" class=${index > 1 ? 'num' : undefined}>${name}</th>`)}</tr></thead>
        <tbody>${instances.map((it) => html`<tr key=${it.name}><td><${Data}>${it.name}<//></td><td>${it.version ?? '–'}</td>
          <td class="num" title=${it.started_at}>${it.started_at ? seconds((now - new Date(it.started_at)) / 1000) : '–'}</td>
          <td class="num">${bytes(it.memory_bytes)}</td></tr>`)}</tbody>
      </table></div>
    </section>`;
}

function Consumers({ consumers }) {
  if (!consumers?.length) return null;
  const sorted = [...consumers].sort((a, b) => (b.per_second ?? 0) - (a.per_second ?? 0));
  return html`
    <section class="card"><header class="card-head"><h2>${t.services.consumers(consumers.length)}</h2></header>
      <div class="table-scroll"><table>
        <thead><tr>${t.services.consumerColumns.map((name, index) => html`<th scope="col" class=${index > 0 ? 'num' : undefined}>${name}</th>`)}</tr></thead>
        <tbody>${sorted.map((it) => html`<tr key=${it.type}><td><a href=${url('/events', { type: it.type })} data-row>${it.name ?? eventName(it.type)}</a></td>
          <td class="num">${rate(it.per_second)}</td><td class="num">${count(it.handled)}</td>
          <td class="num ${it.failed > 0 ? 'bad' : ''}">${it.failed > 0 ? '✕ ' : ''}${count(it.failed)}</td><td class="num">${count(it.retried)}</td>
            <td class="num">${ms(it.p50_ms)}</td><td class="num">${ms(it.p90_ms)}</td><td class="num">${ms(it.p99_ms)}</td></tr>`)}</tbody>
      </table></div>
    </section>`;
}
