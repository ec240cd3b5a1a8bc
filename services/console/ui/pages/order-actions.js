// Actions on an order: each by a button, and the same as curl and as a command.
import { html, useState } from '../vendor/vendor.js';
import { send } from '../lib/api.js';
import { announce, Dialog, ProblemBox } from '../lib/ui.js';
import { Copies } from '../lib/commands.js';
import { eventName } from '../lib/format.js';
import { url } from '../lib/router.js';
import { t } from '../lib/strings.js';

/**
 * @typedef {{key: string, label: string, text: string, call: [string, string, any?], command?: string, danger?: boolean, once?: boolean,
 *   ask?: string}} Action
 * `ask` names the one value of the body that is asked for.
 */

/** The actions that the API offers for an order in this state. @returns {Action[]} */
export function actionsOf({ order, payments, shipments }) {
  return [...ofShipments(order, shipments ?? []), ...ofOrder(order), ...ofPayments(order, payments ?? [])];
}

function ofShipments(order, shipments) {
  return shipments.flatMap(({ shipment_id: id, status }) => {
    const isReady = status === 'pending' && order.status === 'paid';
    const action = (verb, label, text, body) => ({
      key: `${verb}-${id}`, label, text, call: ['POST', `/v1/shipments/${id}/${verb}`, body], command: `tradepost shipments ${verb} ${id}`, once: true,
    });
    if (isReady) return [action('dispatch', t.actions.dispatch, t.actions.dispatchText, {})];
    return status === 'dispatched' ? [action('deliver', t.actions.deliver, t.actions.deliverText)] : [];
  });
}

function ofOrder(order) {
  const path = `/v1/orders/${order.order_id}`;
  const actions = [];
  if (order.status === 'reserved' && ['none', 'failed'].includes(order.payment.status)) {
    actions.push({
      key: 'pay', label: t.actions.pay, text: t.actions.payText, call: ['POST', `${path}/payment`, { token: 'tok_ok' }],
      command: `tradepost orders pay ${order.number} --token tok_ok`, once: true, ask: 'token',
    });
  }
  if (['placed', 'backordered', 'reserved', 'paid'].includes(order.status)) {
    actions.push({
      key: 'cancel', label: t.actions.cancel, text: t.actions.cancelText(order.number), call: ['POST', `${path}/cancel`],
      command: `tradepost orders cancel ${order.number}`, danger: true, once: true,
    });
  }
  return actions;
}

function ofPayments(order, payments) {
  if (order.status === 'cancelling') return [];
  return payments.filter((it) => it.status === 'captured').map(({ payment_id: id }) => ({
    key: `refund-${id}`, label: t.actions.refund, text: t.actions.refundText, call: ['POST', `/v1/payments/${id}/refund`, {}],
    command: `tradepost payments refund --order ${order.number}`, danger: true, once: true,
  }));
}

/** @returns a card with the actions, and links to the dead letters of the order. */
export function OrderActions({ found, reload }) {
  const [chosen, setChosen] = useState(null);
  const actions = actionsOf(found);
  const parked = found.items.flatMap((event) => event.deliveries.filter((it) => it.status === 'parked').map((it) => ({ event, consumer: it.consumer })));
  if (!actions.length && !parked.length) return null;
  return html`
    <section class="card no-print"><header class="card-head"><h2>${t.actions.title}</h2></header><div class="card-body stack">
      ${parked.map(({ event, consumer }) => html`
        <p><a href=${url('/dlq', { event: event.event_id })}>${t.actions.repair(eventName(event.type), consumer)}</a></p>`)}
      ${actions.map((action) => html`
        <div class="action" key=${action.key}>
          <button type="button" class=${action.danger ? 'danger' : undefined} onClick=${() => setChosen(action)}>${action.label}</button>
          <span>${t.actions.copy} <${Copies} call=${action.call} command=${action.command} short /></span>
        </div>`)}
    </div></section>
    ${chosen && html`<${Confirm} action=${chosen} onClose=${() => setChosen(null)} onDone=${() => { setChosen(null); reload(); }} />`}`;
}

/** Asks before an action, and shows its refusal. */
export function Confirm({ action, onClose, onDone }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [body, setBody] = useState(action.call[2]);
  const run = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await send(action.call[0], action.call[1], body, { once: action.once });
      announce(t.actions.done(action.label));
      onDone();
    } catch (refusal) {
      setProblem(refusal);
      setBusy(false);
    }
  };
  return html`
    <${Dialog} title=${action.label} onClose=${onClose}>
      <form class="stack" onSubmit=${run}>
        <p>${action.text}</p>
        ${action.ask && html`<label class="field"><span>${t.actions.asked[action.ask]}</span>
          <input required value=${body[action.ask]} autocomplete="off" onInput=${(event) => setBody({ ...body, [action.ask]: event.target.value })} /></label>`}
        ${problem && html`<${ProblemBox} problem=${problem} />`}
        <div class="actions">
          <button class=${action.danger ? 'danger' : 'primary'} disabled=${busy}>${action.label}</button>
          <button type="button" onClick=${onClose}>${t.close}</button>
          <${Copies} call=${[action.call[0], action.call[1], body]} command=${action.command} />
        </div>
      </form>
    <//>`;
}
