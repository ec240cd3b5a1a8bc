// One dead letter: why it failed, its bytes, and what can be done.
import { html, useState } from '../vendor/vendor.js';
import { get, useLoad } from '../lib/api.js';
import { Copy, Data, Loaded, Page, Time } from '../lib/ui.js';
import { Copies } from '../lib/commands.js';
import { Json } from '../lib/json.js';
import { DiscardDialog, ReplayDialog } from './dlq-dialogs.js';
import { count, eventName } from '../lib/format.js';
import { navigate, url } from '../lib/router.js';
import { t } from '../lib/strings.js';
import '../lib/style.js';

/** @returns the page at `/ui/dlq/ID` */
export default function DeadLetter({ id }) {
  const state = useLoad(() => get(`/v1/dead-letters/${encodeURIComponent(id)}`), [id]);
  const [dialog, setDialog] = useState(null);
  const leave = () => { setDialog(null); navigate(url('/dlq')); };
  return html`
    <${Loaded} state=${state} rows=${10} title=${t.dlq.letter} back=${["/ui/dlq", t.nav.dlq]}>${(letter) => html`
      <${Page} title=${t.dlq.title(eventName(letter.type), letter.consumer)} note=${html`${t.dlq.failed} <${Time} at=${letter.first_failed_at} /> · ${t.dlq.tried(letter.attempts)}`}
        actions=${html`
          <button type="button" class="primary" onClick=${() => setDialog('replay')}>${t.dlq.replay}</button>
          <button type="button" class="danger" onClick=${() => setDialog('discard')}>${t.dlq.discard}</button>
          <${Copies} call=${['POST', `/v1/dead-letters/${letter.dead_letter_id}/replay`]} command=${`tradepost dlq replay ${letter.dead_letter_id}`} />`}>
        <p class="crumbs"><a href=${url('/dlq')}>${t.dlq.allGroups}</a></p>
        <div class="columns">
          <div class="stack">
            <section class="why bad"><h2><span aria-hidden="true">✕ </span>${t.dlq.why}</h2><p class="wrap"><${Data}>${letter.reason ?? t.dlq.noReason}<//></p></section>
            <section class="card"><header class="card-head"><h2>${t.dlq.body}</h2></header><div class="card-body"><${Body} letter=${letter} /></div></section>
          </div>
          <${Facts} letter=${letter} />
        </div>
      <//>
      ${dialog === 'replay' && html`<${ReplayDialog} title=${t.dlq.replayOne} target=${{ ids: [letter.dead_letter_id] }} command=${`tradepost dlq replay ${letter.dead_letter_id}`} onClose=${leave} />`}
      ${dialog === 'discard' && html`<${DiscardDialog} letter=${letter} onClose=${() => setDialog(null)} onDone=${leave} />`}`}<//>`;
}

const Facts = ({ letter }) => html`
  <section class="card"><header class="card-head"><h2>${t.event.headers}</h2></header><div class="card-body">
    <dl class="facts">
      <dt>${t.dlq.id}</dt><dd class="mono">${letter.dead_letter_id} <${Copy} text=${letter.dead_letter_id} /></dd>
      <dt>${t.dlq.event}</dt><dd class="mono"><a href=${url(`/events/${letter.event_id}`)}>${letter.event_id}</a></dd>
      <dt>${t.event.type}</dt><dd class="mono">${letter.type}</dd>
      <dt>${t.dlq.consumer}</dt><dd><a href=${url(`/services/${encodeURIComponent(letter.consumer)}`)}>${letter.consumer}</a></dd>
      <dt>${t.dlq.key}</dt><dd class="mono"><a href=${url('/events', { subject: letter.key })}>${letter.key}</a></dd>
      <dt>${t.dlq.attempts}</dt><dd>${count(letter.attempts)}</dd>
    </dl>
    <p><a href=${url(`/orders/${letter.key}`)}>${t.event.openOrder}</a></p>
  </div></section>`;

/** The data of a dead letter: as JSON where it is, else as text. */
function Body({ letter }) {
  const { body } = letter;
  if (body === null || body === undefined) return html`<p class="note">${t.dlq.noBody}</p>`;
  return html`${typeof body === 'string' && html`<p class="note">${t.dlq.plainText}</p>`}<${Json} value=${body} name=${`${letter.event_id}.json`} />`;
}
