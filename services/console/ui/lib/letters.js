// A table of dead letters, which can be chosen.
import { html } from '../vendor/vendor.js';
import { Data, Time } from './ui.js';
import { count, eventName, shortId } from './format.js';
import { url } from './router.js';
import { t } from './strings.js';

/** @param {{letters: any[], chosen: Set<string>, onChoose: (chosen: Set<string>) => void}} props */
export function LetterTable({ letters, chosen, onChoose }) {
  const isAll = letters.every((it) => chosen.has(it.dead_letter_id));
  const toggle = (id) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChoose(next);
  };
  return html`
    <div class="table-scroll"><table>
      <thead><tr>
        <th scope="col">
          <input type="checkbox" aria-label=${t.dlq.chooseAll} checked=${isAll} onChange=${() => onChoose(new Set(isAll ? [] : letters.map((it) => it.dead_letter_id)))} /></th>
        <th scope="col">${t.dlq.event}</th><th scope="col">${t.dlq.key}</th><th scope="col">${t.dlq.reason}</th><th scope="col" class="num">${t.dlq.attempts}</th>
          <th scope="col">${t.dlq.failed}</th>
      </tr></thead>
      <tbody>${letters.map((it) => html`
        <tr key=${it.dead_letter_id}>
          <td>
            <input type="checkbox" aria-label=${t.dlq.choose(shortId(it.dead_letter_id))} checked=${chosen.has(it.dead_letter_id)} onChange=${() => toggle(it.dead_letter_id)} /></td>
          <td class="nowrap"><a href=${url(`/dlq/${it.dead_letter_id}`)} data-row>${eventName(it.type)}</a> <small>${it.consumer}</small></td>
          <td class="mono nowrap">${shortId(it.key)}</td>
          <td class="wide"><${Data}>${it.reason ?? t.dlq.noReason}<//></td>
          <td class="num">${count(it.attempts)}</td><td><${Time} at=${it.first_failed_at} /></td>
        </tr>`)}</tbody>
    </table></div>`;
}
