// Mails that were sent or captured: a list, and one beside it as HTML, text or source.
import { html } from '../vendor/vendor.js';
import { get, useLoad } from '../lib/api.js';
import { BASE, url, useRoute } from '../lib/router.js';
import { Data, Empty, Loaded, Page, Status, Time, Views } from '../lib/ui.js';
import { Pager } from '../lib/table.js';
import { Copies } from '../lib/commands.js';
import { Json } from '../lib/json.js';
import { eventName } from '../lib/format.js';
import { t } from '../lib/strings.js';
import '../lib/style.js';

const PAGE = 50;

/** The event after which a mail of a template is sent. */
const EVENT_OF = {
  welcome: 'users.user_registered.v1', confirmation: 'orders.order_paid.v1', rejection: 'orders.order_updated.v1', backordered: 'orders.order_updated.v1', payment_due: 'orders.order_updated.v1',
  payment_failed: 'orders.payment_declined.v1', cancelled: 'orders.order_cancelled.v1', too_late_to_cancel: 'orders.order_updated.v1', dispatched: 'orders.order_updated.v1', delivered: 'orders.order_updated.v1',
  refunded: 'orders.order_updated.v1',
};

/** @returns the pages at `/ui/mail` and `/ui/mail/ID` */
export default function Mail({ id }) {
  const { query } = useRoute();
  const state = useLoad(() => get('/v1/mail', { cursor: query.cursor, order_id: query.order_id, limit: PAGE }), [query.cursor, query.order_id]);
  return html`
    <${Page} title=${t.nav.mail} actions=${html`<button type="button" onClick=${state.reload}>${t.refresh}</button>
      <${Copies} call=${['GET', '/v1/mail']} command="tradepost mail list" />`}>
      <div class="mail${id ? ' with-mail' : ''}">
        <${Loaded} state=${state} rows=${10}>${(page) => (page.items.length === 0 && !id ? html`<${Empty} title=${t.mail.none} text=${t.mail.noneText} command=${t.flow.quietCommand} />` : html`
          <div class="card mail-list"><ul>${page.items.map((it) => html`
            <li key=${it.mail_id}>
              <a href=${url(`/mail/${it.mail_id}`, { cursor: query.cursor, order_id: query.order_id })} aria-current=${it.mail_id === id ? 'true' : undefined} data-row>
              <strong><${Data}>${it.subject}<//></strong>
              <span class="note"><${Data}>${it.to}<//></span>
              <span class="note">${it.status !== 'captured' && it.status !== 'sent' ? html`<${Status} value=${it.status} /> ` : ''}<${Time} at=${it.sent_at} /></span></a></li>`)}</ul>
            <${Pager} next=${page.next} /></div>`)}<//>
        ${id && html`<${OneMail} key=${id} id=${id} />`}
      </div>
    <//>`;
}

function OneMail({ id }) {
  const state = useLoad(() => get(`/v1/mail/${encodeURIComponent(id)}`), [id]);
  return html`<${Loaded} state=${state} rows=${8}>${(mail) => html`
    <article class="card one-mail" aria-label=${mail.subject}>
      <header class="card-head"><h2><${Data}>${mail.subject}<//></h2>
        <${Views} name="as" label=${t.mail.forms} options=${[['html', t.mail.html], ['text', t.mail.text], ['source', t.mail.source]]} /></header>
      <div class="card-body stack">
        <dl class="facts">
          <dt>${t.mail.to}</dt><dd><${Data}>${mail.to}<//></dd>
          <dt>${t.mail.state}</dt><dd><${Status} value=${mail.status} /> <${Time} at=${mail.sent_at} />${mail.error && html` <${Data}>${mail.error}<//>`}</dd>
          <dt>${t.mail.template}</dt>
            <dd>${mail.template}${EVENT_OF[mail.template] && mail.order_id && html` · <a href=${url('/events', { subject: mail.order_id, type: EVENT_OF[mail.template] })}>${t.mail.after(eventName(EVENT_OF[mail.template]))}</a>`}</dd>
          ${mail.order_id && html`<dt>${t.mail.order}</dt><dd><a href=${url(`/orders/${mail.order_id}`)}>${t.event.openOrder}</a></dd>`}
          <dt>${t.mail.messageId}</dt><dd class="mono">${mail.message_id}</dd>
        </dl>
        <${Content} mail=${mail} />
        <div class="actions"><${Copies} call=${['GET', `/v1/mail/${mail.mail_id}`]} command=${`tradepost mail show ${mail.mail_id}`} /></div>
      </div>
    </article>`}<//>`;
}

function Content({ mail }) {
  const { query } = useRoute();
  if (query.as === 'text') return html`<pre class="letter" tabindex="0">${mail.text}</pre>`;
  if (query.as === 'source') return html`<${Json} value=${mail.html} name=${`${mail.mail_id}.html`} />`;
  return html`<${Framed} mail=${mail} />`;
}

/** The HTML of a mail in a sandbox, without scripts, forms or an origin; as text where the server does not serve it. */
function Framed({ mail }) {
  const address = `${BASE}/api/v1/mail/${encodeURIComponent(mail.mail_id)}/html`;
  const served = useLoad(async () => {
    const response = await fetch(address, { credentials: 'same-origin' });
    return { isHtml: response.ok && (response.headers.get('Content-Type') ?? '').startsWith('text/html') };
  }, [address]);
  if (!served.data) return null;
  if (!served.data.isHtml) return html`<p class="note">${t.mail.noHtml}</p><pre class="letter" tabindex="0">${mail.text}</pre>`;
  return html`<iframe sandbox="" src=${address} title=${t.mail.frame(mail.subject)} height="460" referrerpolicy="no-referrer"></iframe>`;
}
