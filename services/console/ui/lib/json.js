// Data of events as indented JSON. A large one is cut, and can be shown in full or saved.
import { html, useMemo, useState } from '../vendor/vendor.js';
import { Copy } from './ui.js';
import { bytes } from './format.js';
import { t } from './strings.js';

const SHOWN_CHARS = 12_000;

/** @param {{value: any, name?: string}} props `name` is that of the file it can be saved as. */
export function Json({ value, name = 'data.json' }) {
  const text = useMemo(() => (typeof value === 'string' ? value : JSON.stringify(value, null, 2) ?? 'null'), [value]);
  const [all, setAll] = useState(false);
  const isCut = text.length > SHOWN_CHARS && !all;
  return html`
    <div class="json">
      <div class="json-tools">
        <span class="note">${bytes(new Blob([text]).size)}</span>
        <${Copy} text=${text} title=${t.json.copy} />
        <button type="button" class="quiet" onClick=${() => save(name, text, 'application/json')}>${t.json.save}</button>
      </div>
      <pre tabindex="0">${isCut ? text.slice(0, SHOWN_CHARS) : text}</pre>
      ${isCut && html`<p class="note">${t.json.cut(bytes(SHOWN_CHARS))} <button type="button" class="quiet" onClick=${() => setAll(true)}>${t.json.all}</button></p>`}
    </div>`;
}

/** Saves a text as a file. */
export function save(name, text, type) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
