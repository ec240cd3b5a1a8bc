// Dead letters in groups of one cause, and the letters of a group.
import { html, useState } from '../vendor/vendor.js';
import { get, useLoad } from '../lib/api.js';
import { Data, Empty, Loaded, Page, Time } from '../lib/ui.js';
import { Copies, quoted } from '../lib/commands.js';
import { listLetters } from '../lib/replay.js';
import { LetterTable } from '../lib/letters.js';
import { RangeReplay, ReplayDialog } from './dlq-dialogs.js';
import { count, eventName } from '../lib/format.js';
import { setQuery, url, useRoute } from '../lib/router.js';
import { t } from '../lib/strings.js';
import '../lib/style.js';

/** @returns the page at `/ui/dlq` */
export default function DeadLetters() {
  const { query } = useRoute();
  const [range, setRange] = useState(false);
  const inGroup = query.group || query.event || query.consumer;
  return html`
    <${Page} title=${t.nav.dlq} actions=${html`
      <button type="button" onClick=${() => setRange(true)}>${t.dlq.range}</button>
      <${Copies} call=${['GET', '/v1/dead-letters/groups']} command=${`tradepost dlq list${query.consumer ? ` --consumer ${quoted(query.consumer)}` : ''}`} />`}>
      ${inGroup ? html`<${Group} key=${query.group ?? query.event ?? query.consumer} query=${query} />` : html`<${Groups} />`}
      ${range && html`<${RangeReplay} onClose=${() => setRange(false)} />`}
    <//>`;
}

function Groups() {
  const state = useLoad(() => get('/v1/dead-letters/groups').then((answer) => answer.items), []);
  const [replayed, setReplayed] = useState(null);
  return html`
    <${Loaded} state=${state} rows=${8}>${(groups) => (groups.length === 0 ? html`<${Empty} title=${t.dlq.none} text=${t.dlq.noneText} />` : html`
      <div class="card table-scroll"><table>
        <thead><tr><th scope="col" class="num">${t.dlq.count}</th><th scope="col">${t.dlq.cause}</th><th scope="col" class="num">${t.dlq.orders}</th>
          <th scope="col">${t.dlq.first}</th><th scope="col">${t.dlq.last}</th><th scope="col">${t.dlq.actions}</th></tr></thead>
        <tbody>${groups.map((it) => html`
          <tr key=${it.group}>
            <td class="num strong">${count(it.count)}</td>
            <td class="wide"><a href=${url('/dlq', { group: it.group })} data-row>${it.consumer} · ${eventName(it.type)}</a>
              <p class="reason"><${Data}>${it.reason || t.dlq.noReason}<//></p></td>
            <td class="num">${count(it.subjects)}</td><td><${Time} at=${it.first_failed_at} /></td><td><${Time} at=${it.last_failed_at} /></td>
            <td class="nowrap"><button type="button" onClick=${() => setReplayed(it)}>${t.dlq.replay}</button></td>
          </tr>`)}</tbody>
      </table></div>`)}<//>
    ${replayed && html`<${ReplayDialog} title=${t.dlq.replayGroup(replayed.count)} target=${{ group: replayed.group }} command=${`tradepost dlq replay --all --consumer ${quoted(replayed.consumer)}`} onClose=${() => { setReplayed(null); state.reload(); }} />`}`;
}

/** Loads the letters of a group, of a consumer, or of one event. */
async function loadLetters({ group, event, consumer, cursor }) {
  if (event) return { items: await listLetters({ consumer }, (it) => it.event_id === event), next: null };
  return get('/v1/dead-letters', { group, consumer, cursor, limit: 50 });
}

function Group({ query }) {
  const state = useLoad(() => loadLetters(query), [query.group, query.event, query.consumer, query.cursor]);
  const [chosen, setChosen] = useState(new Set());
  const [replay, setReplay] = useState(null);
  const finish = () => { setReplay(null); setChosen(new Set()); state.reload(); };
  return html`
    <p class="crumbs"><a href=${url('/dlq')}>${t.dlq.allGroups}</a></p>
    <${Loaded} state=${state} rows=${8}>${(page) => (page.items.length === 0 ? html`<${Empty} title=${t.dlq.groupEmpty} text=${t.dlq.groupEmptyText}><p>
      <a href=${url('/dlq')}>${t.dlq.allGroups}</a></p><//>` : html`
      <div class="card">
        <header class="card-head"><h2>${groupTitle(page.items)}</h2>
          <button type="button" class="primary" disabled=${!chosen.size} onClick=${() => setReplay({ ids: [...chosen] })}>${t.dlq.replayChosen(chosen.size)}</button>
          ${query.group && html`<button type="button" onClick=${() => setReplay({ group: query.group })}>${t.dlq.replayAll}</button>`}
        </header>
        <${LetterTable} letters=${page.items} chosen=${chosen} onChoose=${setChosen} />
        ${page.next && html`<div class="pager"><button type="button" onClick=${() => setQuery({ cursor: page.next }, { replace: false })}>${t.pager.next}</button></div>`}
      </div>
      ${replay && html`<${ReplayDialog} title=${replay.ids ? t.dlq.replayChosen(replay.ids.length) : t.dlq.replayAll} target=${replay}
        command=${replay.ids?.length === 1 ? `tradepost dlq replay ${replay.ids[0]}` : `tradepost dlq replay --all --consumer ${quoted(page.items[0].consumer)}`} onClose=${finish} />`}`)}<//>`;
}

function groupTitle(items) {
  const names = new Set(items.map((it) => `${it.consumer} · ${eventName(it.type)}`));
  return names.size === 1 ? [...names][0] : t.dlq.letters(items.length);
}
