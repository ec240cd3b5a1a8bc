// Dialogs of the dead letters: a replay with its progress, a time range, and discarding.
import { html, useEffect, useRef, useState } from '../vendor/vendor.js';
import { send } from '../lib/api.js';
import { announce, Dialog, ProblemBox } from '../lib/ui.js';
import { Copies } from '../lib/commands.js';
import { listLetters, startReplay } from '../lib/replay.js';
import { count, instant } from '../lib/format.js';
import { t } from '../lib/strings.js';

const RATES = [1, 10, 50, 200];
const RATE = 50;

/** Asks for the rate, replays, and reports. */
export function ReplayDialog({ title, target, command, onClose, children, disabled = false }) {
  const [perSecond, setPerSecond] = useState(RATE);
  const [report, setReport] = useState(null);
  const [problem, setProblem] = useState(null);
  const job = useRef(null);
  const close = useRef(null);
  const start = async () => {
    setProblem(null);
    try {
      job.current = await startReplay(target, perSecond, setReport);
    } catch (refusal) {
      setProblem(refusal);
    }
  };
  const isOver = report && report.state !== 'running';
  useEffect(() => {
    if (!isOver) return;
    announce(t.replay.report(report));
    close.current?.focus();
  }, [isOver]);
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      ${!report && html`
        ${children}
        ${target.ids?.length !== 1 && html`<label class="field"><span>${t.replay.rate}</span>
          <select value=${perSecond} onChange=${(event) => setPerSecond(+event.target.value)}>${RATES.map((it) => html`<option value=${it} selected=${it === perSecond}>${t.replay.perSecond(it)}</option>`)}</select></label>`}
        <p class="note">${t.replay.text}</p>`}
      ${problem && html`<${ProblemBox} problem=${problem} />`}
      ${report && html`<${Progress} report=${report} />`}
      <div class="actions">
        ${!report && html`<button type="button" class="primary" disabled=${disabled} onClick=${start}>${t.replay.start}</button>
          <button type="button" onClick=${onClose}>${t.cancel}</button>`}
        ${report && !isOver && html`<button type="button" class="danger" onClick=${() => job.current?.stop()}>${t.replay.stop}</button>`}
        ${isOver && html`<button type="button" class="primary" ref=${close} onClick=${onClose}>${t.close}</button>`}
        ${!report && html`<${Copies} call=${['POST', '/v1/dead-letters/replays', { ...target, per_second: perSecond }]} command=${command} />`}
      </div>
    <//>`;
}

function Progress({ report }) {
  const done = report.done + report.failed;
  return html`
    <progress max=${Math.max(report.total, 1)} value=${report.total ? done : 1} aria-label=${t.replay.progress}></progress>
    <p data-report=${report.state}><strong>${t.replay.report(report)}</strong></p>
    ${report.problem && html`<p class="notice warn">${report.problem.message}</p>`}
    ${report.failures?.length > 0 && html`<ul class="failures">${report.failures.slice(0, 20).map((it) => html`<li>
      <code>${it.dead_letter_id}</code> ${it.reason}</li>`)}</ul>`}`;
}

/** Replays what failed within a range of time. */
export function RangeReplay({ onClose }) {
  const [range, setRange] = useState({ from: '', to: '', consumer: '' });
  const field = (name, label, type) => html`<label class="field"><span>${label}</span>
    <input type=${type} value=${range[name]} onInput=${(event) => setRange({ ...range, [name]: event.target.value })} /></label>`;
  const target = Object.fromEntries(Object.entries({ consumer: range.consumer.trim(), from: instant(range.from), to: instant(range.to) }).filter(([, value]) => value));
  const list = () => listLetters({ consumer: target.consumer }, (it) => (!target.from || it.first_failed_at >= target.from) && (!target.to || it.first_failed_at < target.to));
  return html`
    <${ReplayDialog} title=${t.replay.range} target=${target} onClose=${onClose} command=${`tradepost dlq replay --all${target.consumer ? ` --consumer ${target.consumer}` : ''}`} disabled=${!target.from && !target.to && !target.consumer}>
      <p>${t.replay.rangeText}</p>
      ${field('from', t.filter.from, 'datetime-local')}${field('to', t.filter.to, 'datetime-local')}${field('consumer', t.replay.consumer, 'text')}
      <${Count} target=${target} list=${list} />
    <//>`;
}

function Count({ target, list }) {
  const [found, setFound] = useState(null);
  const key = JSON.stringify(target);
  useEffect(() => {
    if (key === '{}') { setFound(null); return undefined; }
    const timer = setTimeout(() => list().then((items) => setFound(items.length), () => setFound(null)), 400);
    return () => clearTimeout(timer);
  }, [key]);
  return found === null ? null : html`<p class="notice">${t.replay.found(count(found))}</p>`;
}

/** Discards a dead letter, once that is confirmed. */
export function DiscardDialog({ letter, onClose, onDone }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    try {
      await send('POST', `/v1/dead-letters/${encodeURIComponent(letter.dead_letter_id)}/discard`);
      onDone();
    } catch (refusal) {
      setProblem(refusal);
      setBusy(false);
    }
  };
  return html`
    <${Dialog} title=${t.dlq.discard} onClose=${onClose}>
      <p>${t.dlq.discardText}</p>
      ${problem && html`<${ProblemBox} problem=${problem} />`}
      <div class="actions">
        <button type="button" class="danger" disabled=${busy} onClick=${go}>${t.dlq.discard}</button>
        <button type="button" onClick=${onClose}>${t.cancel}</button>
        <${Copies} call=${['POST', `/v1/dead-letters/${letter.dead_letter_id}/discard`]} command=${`tradepost dlq discard ${letter.dead_letter_id}`} />
      </div>
    <//>`;
}
