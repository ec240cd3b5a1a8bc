// Texts of what can be done elsewhere: the same by curl and by the command line.
import { html } from '../vendor/vendor.js';
import { Copy } from './ui.js';
import { t } from './strings.js';

/** Quotes a text for a shell. */
export const quoted = (text) => (/^[\w.@%+=:,/-]+$/.test(text) ? text : `'${String(text).replaceAll("'", "'\\''")}'`);

/** A call of the public API as curl. */
export function curl(method, path, body) {
  const parts = ['curl', ...(method === 'GET' ? [] : ['-X', method]), '-H "Authorization: Bearer $TRADEPOST_ADMIN_TOKEN"'];
  if (body !== undefined) parts.push("-H 'Content-Type: application/json'", '-d', quoted(JSON.stringify(body)));
  parts.push(`"$TRADEPOST_URL"${quoted(path)}`);
  return parts.join(' ');
}

/** The two copies of an action or a page. `short` ones have labels of one word. */
export const Copies = ({ call, command, short }) => html`
  ${call && html`<${Copy} text=${curl(...call)} label=${short ? t.copy.curlShort : t.copy.curl} name=${t.copy.curl} />`}
  ${command && html`<${Copy} text=${command} label=${short ? t.copy.commandShort : t.copy.command} name=${t.copy.command} />`}`;
