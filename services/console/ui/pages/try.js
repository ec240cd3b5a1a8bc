// Real orders through the API, for trying: one, or a paced series with a bound.
import { html, useEffect, useRef, useState } from '../vendor/vendor.js';
import { get, newKey, send, useLoad } from '../lib/api.js';
import { Empty, Loaded, Page, ProblemBox, announce } from '../lib/ui.js';
import { Copies, quoted } from '../lib/commands.js';
import { money } from '../lib/format.js';
import { navigate, setQuery, url, useRoute } from '../lib/router.js';
import { t } from '../lib/strings.js';
import '../lib/style.js';

const SERIES_MAX = 200;
const PER_SECOND_MAX = 20;
const SHOWN_MAX = 12;

/** The outcome of an order follows from its payment token, its quantity or its key. */
const SCENARIOS = {
  good: { token: 'tok_ok' }, declined: { token: 'tok_declined' }, soft: { token: 'tok_soft' }, slow: { token: 'tok_slow' },
  lost: { token: 'tok_timeout' }, 'too-many': { token: 'tok_ok', quantity: 9999 }, duplicate: { token: 'tok_ok', twice: true },
};

/** @returns the page at `/ui/try` */
export default function Try({ session }) {
  const state = useLoad(() => get('/v1/products', { limit: 100 }), []);
  if (!session.features?.try) return html`<${Page} title=${t.try.title}><${Empty} title=${t.try.off} text=${t.try.offText} command="tradepost up --demo" /><//>`;
  return html`
    <${Page} title=${t.try.title} note=${t.try.note}>
      <${Loaded} state=${state} rows=${8}>${({ items }) => (items.length === 0
        ? html`<${Empty} title=${t.try.noProducts} text=${t.try.noProductsText} command="tradepost products add --sku 123 --name Laptop --price 1299.00 --stock 10" />`
        : html`<${Form} products=${items} />`)}<//>
    <//>`;
}

function Form({ products }) {
  const { query } = useRoute();
  const scenario = SCENARIOS[query.scenario] ? query.scenario : 'good';
  const [wish, setWish] = useState({ product: products[0].product_id, quantity: 1, email: 'ada@example.com', orders: 1, perSecond: 2 });
  const series = useSeries();
  const field = (name, label, type, bounds = {}) => html`<label class="field"><span>${label}</span>
    <input type=${type} value=${wish[name]} required ...${bounds} onInput=${(event) => setWish({ ...wish, [name]: type === 'number' ? event.target.valueAsNumber : event.target.value })} /></label>`;
  const product = products.find((it) => it.product_id === wish.product) ?? products[0];
  const body = bodyOf(scenario, wish);
  const submit = (event) => {
    event.preventDefault();
    series.start(scenario, wish);
  };
  return html`
    <div class="columns">
      <form class="card try" onSubmit=${submit}>
        <fieldset><legend>${t.try.scenario}</legend>
          ${Object.keys(SCENARIOS).map((name) => html`
            <label class="choice">
              <input type="radio" name="scenario" value=${name} checked=${name === scenario} onChange=${() => setQuery({ scenario: name === 'good' ? null : name })} />
              <span><strong>${t.try.scenarios[name][0]}</strong><small>${t.try.scenarios[name][1]}</small></span></label>`)}
        </fieldset>
        <div class="fields">
          <label class="field"><span>${t.try.product}</span>
            <select value=${wish.product} onChange=${(event) => setWish({ ...wish, product: event.target.value })}>${products.map((it) => html`<option value=${it.product_id}>${it.name} · ${money(it.price)}</option>`)}</select></label>
          ${!SCENARIOS[scenario].quantity && field('quantity', t.try.quantity, 'number', { min: 1, max: 1000 })}
          ${field('email', t.try.email, 'email')}
          ${field('orders', t.try.orders(SERIES_MAX), 'number', { min: 1, max: SERIES_MAX })}
          ${wish.orders > 1 && field('perSecond', t.try.perSecond(PER_SECOND_MAX), 'number', { min: 0.1, max: PER_SECOND_MAX, step: 'any' })}
        </div>
        <div class="actions">
          ${series.running ? html`<button type="button" class="danger" onClick=${series.stop}>${t.try.stop}</button>` : html`<button class="primary">${wish.orders > 1 ? t.try.placeMany(wish.orders) : t.try.place}</button>`}
          <${Copies} call=${['POST', '/v1/orders', body]} command=${`tradepost orders place ${quoted(`${product.sku}=${body.lines[0].quantity}`)} --email ${quoted(wish.email)} --token ${SCENARIOS[scenario].token} --watch`} />
        </div>
        ${series.problem && html`<${ProblemBox} problem=${series.problem} />`}
      </form>
      <${Placed} series=${series} />
    </div>`;
}

function bodyOf(scenario, wish) {
  const { token, quantity } = SCENARIOS[scenario];
  return { lines: [{ product_id: wish.product, quantity: quantity ?? wish.quantity }], email: wish.email, payment: { token } };
}

/** Places orders one after another. A single one leads to its story. */
function useSeries() {
  const [state, setState] = useState({ running: false, placed: [], failed: 0, total: 0, problem: null });
  const stopped = useRef(false);
  useEffect(() => () => { stopped.current = true; }, []);
  const start = async (scenario, wish) => {
    const total = Math.min(Math.max(Math.round(wish.orders), 1), SERIES_MAX);
    const pauseMs = 1000 / Math.min(Math.max(wish.perSecond || 1, 0.1), PER_SECOND_MAX);
    stopped.current = false;
    let now = { running: true, placed: [], failed: 0, total, problem: null };
    setState(now);
    for (let index = 0; index < total && !stopped.current; index += 1) {
      try {
        now = { ...now, placed: [await placeOne(scenario, wish), ...now.placed] };
      } catch (problem) {
        now = { ...now, failed: now.failed + 1, problem };
        if ([0, 400, 403, 422].includes(problem.status)) break;
        if (problem.retryAfter) await pause(problem.retryAfter * 1000);
      }
      if (!stopped.current) setState(now);
      if (index + 1 < total) await pause(pauseMs);
    }
    if (total === 1 && now.placed.length && !stopped.current) navigate(url(`/orders/${now.placed[0].order_id}`));
    else { setState({ ...now, running: false }); announce(t.try.result(now.placed.length, now.failed)); }
  };
  return { ...state, start, stop: () => { stopped.current = true; setState((before) => ({ ...before, running: false })); } };
}

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

async function placeOne(scenario, wish) {
  const key = newKey();
  const placed = await send('POST', '/v1/orders', bodyOf(scenario, wish), { key });
  if (!SCENARIOS[scenario].twice) return placed;
  const again = await send('POST', '/v1/orders', bodyOf(scenario, wish), { key });
  return { ...placed, isSame: again.order_id === placed.order_id };
}

function Placed({ series }) {
  return html`
    <section class="card" aria-live="polite"><header class="card-head"><h2>${t.try.placed}</h2></header><div class="card-body">
      ${series.total === 0 ? html`<p class="note">${t.try.nothing}</p>` : html`
        <progress max=${series.total} value=${series.placed.length + series.failed} aria-label=${t.try.placed}></progress>
        <p>${t.try.result(series.placed.length, series.failed)}</p>
        <ul class="latest">${series.placed.slice(0, SHOWN_MAX).map((it) => html`<li key=${it.order_id}>
          <a href=${url(`/orders/${it.order_id}`)}>${t.order.title(it.number)}</a> <span class="note">${it.isSame === undefined ? money(it.total) : it.isSame ? t.try.same : t.try.notSame}</span></li>`)}</ul>
        ${series.placed.length > SHOWN_MAX && html`<p><a href=${url('/orders')}>${t.try.all}</a></p>`}`}
    </div></section>`;
}
