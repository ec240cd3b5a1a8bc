// Signing in by the admin token or an admin's account.
import { html, useState } from '../vendor/vendor.js';
import { session } from '../lib/api.js';
import { BASE, navigate, url, useRoute } from '../lib/router.js';
import { ProblemBox, Views } from '../lib/ui.js';
import { t } from '../lib/strings.js';

/** @returns the page at `/ui/sign-in` */
export default function SignIn() {
  const { query } = useRoute();
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const byAccount = query.by === 'account';
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await session.signIn(Object.fromEntries(new FormData(event.target)));
      navigate(safeNext(query.next), { replace: true });
    } catch (refusal) {
      setProblem(refusal);
      setBusy(false);
    }
  };
  return html`
    <form class="card sign-in" onSubmit=${submit}>
      <h1><span class="brand-name">Tradepost</span> ${t.signIn.title}</h1>
      ${query.reason && html`<p class="notice warn">${t.signIn.reasons[query.reason] ?? ''}</p>`}
      <${Views} name="by" label=${t.signIn.ways} options=${[['token', t.signIn.byToken], ['account', t.signIn.byAccount]]} />
      ${byAccount ? html`
        <label class="field"><span>${t.signIn.email}</span><input name="email" type="email" autocomplete="username" required /></label>
        <label class="field"><span>${t.signIn.password}</span><input name="password" type="password" autocomplete="current-password" required /></label>
        <p class="note">${t.signIn.accountHelp}</p>`
      : html`
        <label class="field"><span>${t.signIn.token}</span><input name="token" type="password" autocomplete="off" required /></label>
        <p class="note">${t.signIn.tokenHelp}</p>`}
      ${problem && html`<${Refusal} problem=${problem} />`}
      <button class="primary" disabled=${busy}>${t.signIn.submit}</button>
      <p class="note">${t.signIn.linkHelp}</p>
    </form>`;
}

function Refusal({ problem }) {
  if (problem.status === 401) return html`<p class="notice bad" role="alert">${t.signIn.failed}</p>`;
  if (problem.status === 429) return html`<p class="notice warn" role="alert">${t.signIn.limited(problem.retryAfter ?? 60)}</p>`;
  return html`<${ProblemBox} problem=${problem} />`;
}

/** Takes only paths of the dashboard, so that a link cannot lead elsewhere. */
function safeNext(next) {
  return /^\/[^/\\]/.test(next ?? '') && !next.startsWith('/sign-in') ? BASE + next : url('/');
}
