// Replays of many dead letters: a job of the server, which is asked for its report.
import { get, send } from './api.js';

const ASK_MS = 300;
const PAGES_MAX = 20;

/**
 * @typedef {{replay_id: string, total: number, done: number, failed: number, state: 'running'|'done'|'stopped', failures?: {dead_letter_id: string, reason: string}[]}} Report
 * @typedef {{ids?: string[], group?: string, consumer?: string, from?: string, to?: string}} Target
 */

/**
 * Starts a replay.
 * @param {Target} target @param {number} perSecond
 * @param {(report: Report) => void} onReport
 * @returns {Promise<{stop: () => void}>}
 */
export async function startReplay(target, perSecond, onReport) {
  return followJob(await send('POST', '/v1/dead-letters/replays', { ...target, per_second: perSecond }), onReport);
}

function followJob(first, onReport) {
  const path = `/v1/dead-letters/replays/${encodeURIComponent(first.replay_id)}`;
  let timer;
  const ask = async () => {
    try {
      const report = await get(path);
      onReport(report);
      if (report.state === 'running') timer = setTimeout(ask, ASK_MS);
    } catch (problem) {
      onReport({ ...first, problem });
      if (problem.status !== 404 && problem.status !== 401) timer = setTimeout(ask, ASK_MS * 10);
    }
  };
  onReport(first);
  if (first.state === 'running') timer = setTimeout(ask, ASK_MS);
  return { stop: async () => { clearTimeout(timer); onReport(await send('DELETE', path) ?? await get(path)); } };
}

/** Lists all dead letters that match, up to a bound. */
export async function listLetters(params, matches = () => true) {
  const items = [];
  let cursor;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await get('/v1/dead-letters', { ...params, cursor, limit: 100 });
    items.push(...answer.items.filter(matches));
    cursor = answer.next;
    if (!cursor) break;
  }
  return items;
}
