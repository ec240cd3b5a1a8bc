// Orders: search and filters, newest first.
import { html } from '../vendor/vendor.js';
import { get, scan, useLoad } from '../lib/api.js';
import { Data, Empty, Loaded, Page, SelectFilter, Status, TextFilter, Time } from '../lib/ui.js';
import { Pager } from '../lib/table.js';
import { Copies, quoted } from '../lib/commands.js';
import { money } from '../lib/format.js';
import { setQuery, url, useRoute } from '../lib/router.js';
import { t } from '../lib/strings.js';
import '../lib/style.js';

const PAGE = 50;
const STATUSES = ['placed', 'backordered', 'reserved', 'paid', 'cancelling', 'shipped', 'delivered', 'rejected', 'cancelled', 'refunded'];
const AGES = { '1m': 60, '5m': 300, '1h': 3600, '1d': 86_400, '7d': 604_800 };

/** @returns the page at `/ui/orders` */
export default function Orders() {
  const { query } = useRoute();
  const params = { status: query.status, q: query.q, cursor: query.cursor, limit: PAGE };
  const state = useLoad(() => {
    const seconds = AGES[query.age];
    if (!seconds) return get('/v1/orders', params);
    const before = Date.now() - seconds * 1000;
    // The API has no filter by age: pages are looked through here, and the page says how far.
    return scan('/v1/orders', { ...params, limit: 100 }, (order) => new Date(order.created_at) < before, { wanted: PAGE });
  }, [query.status, query.q, query.cursor, query.age]);
  return html`
    <${Page} title=${t.nav.orders} actions=${html`<${Copies} call=${['GET', listPath(params)]} command=${command(query)} />`}>
      <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
        <${TextFilter} name="q" label=${t.orders.search} placeholder=${t.orders.searchHint} search />
        <${SelectFilter} name="status" label=${t.orders.status} options=${STATUSES.map((name) => [name, t.status[name]])} />
        <${SelectFilter} name="age" label=${t.orders.age} options=${Object.keys(AGES).map((name) => [name, t.orders.ages[name]])} />
        ${(query.q || query.status || query.age) && html`<button type="button" class="quiet" onClick=${clear}>${t.filter.clear}</button>`}
      </form>
      <${Loaded} state=${state} rows=${12}>${(page) => (page.items.length === 0 ? html`<${None} query=${query} page=${page} />` : html`
        <div class="card">
          <div class="table-scroll"><${Table} orders=${page.items} /></div>
          <${Pager} next=${page.next}>${page.looked !== undefined ? t.orders.looked(page.looked) : null}<//>
        </div>`)}<//>
    <//>`;
}

const clear = () => setQuery({ q: null, status: null, age: null, cursor: null });

const listPath = ({ status, q }) => `/v1/orders?${new URLSearchParams(Object.entries({ status, q, limit: '50' }).filter(([, value]) => value))}`;

const command = ({ status }) => `tradepost orders list${status ? ` --status ${quoted(status)}` : ''}`;

function None({ query, page }) {
  if (query.q || query.status || query.age) {
    return html`<${Empty} title=${t.orders.noMatch} text=${page.looked ? t.orders.looked(page.looked) : t.orders.noMatchText}>
      <div class="actions"><button type="button" onClick=${clear}>${t.filter.clear}</button>
      ${page.next && html`<button type="button" onClick=${() => setQuery({ cursor: page.next }, { replace: false })}>${t.orders.lookFurther}</button>`}</div><//>`;
  }
  return html`<${Empty} title=${t.orders.none} text=${t.orders.noneText} command=${t.flow.quietCommand}><p><a href="/ui/try">${t.flow.tryIt}</a></p><//>`;
}

const Table = ({ orders }) => html`
  <table>
    <thead><tr>
      <th scope="col" class="num">${t.orders.number}</th><th scope="col">${t.orders.status}</th><th scope="col">${t.orders.customer}</th>
      <th scope="col">${t.orders.content}</th><th scope="col" class="num">${t.orders.total}</th><th scope="col">${t.orders.placed}</th>
        <th scope="col">${t.orders.changed}</th>
    </tr></thead>
    <tbody>${orders.map((order) => html`
      <tr key=${order.order_id}>
        <td class="num"><a href=${url(`/orders/${order.order_id}`)} data-row>${order.number}</a></td>
        <td><${Status} value=${order.status} /></td>
        <td class="cut"><${Data}>${order.email}<//></td>
        <td class="cut"><${Data}>${order.lines.map((line) => `${line.quantity} × ${line.name}`).join(', ')}<//></td>
        <td class="num">${money(order.total)}</td>
        <td><${Time} at=${order.created_at} /></td>
        <td><${Time} at=${order.updated_at} /></td>
      </tr>`)}</tbody>
  </table>`;
