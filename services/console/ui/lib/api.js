// Calls of the public API through the session, and hooks that load with it.
import { useCallback, useEffect, useRef, useState } from '../vendor/vendor.js';
import { BASE, currentRoute, navigate, url } from './router.js';
import { t } from './strings.js';

const CHANGES = { 'X-Tradepost-Console': '1' };
const ANSWER_MS_MAX = 20_000;

/** A refusal by the server, or a request that had no answer (status 0). */
export class Problem extends Error {
  constructor({ status = 0, code = 'no_answer', title = '', detail = '', request_id = null, errors = [] }, retryAfter = null) {
    super(detail || title || code);
    Object.assign(this, { status, code, title, detail, requestId: request_id, errors, retryAfter });
  }
}

const missingServices = new Set();
const missingListeners = new Set();

/** Follows the services that did not answer the last requests of this page. @returns {string[]} */
export function useMissing() {
  const [names, setNames] = useState([...missingServices]);
  useEffect(() => {
    const update = () => setNames([...missingServices].sort());
    missingListeners.add(update);
    return () => missingListeners.delete(update);
  }, []);
  return names;
}

/** Forgets which services did not answer, as when another page opens. */
export function forgetMissing() {
  noteMissing([], true);
}

/** Notes services that did not answer, as a header or a body names them. */
export function noteMissing(names, reset = false) {
  const before = missingServices.size;
  if (reset) missingServices.clear();
  for (const name of names) missingServices.add(name);
  if (before !== missingServices.size) for (const listener of missingListeners) listener();
}

async function call(method, address, body, headers = {}) {
  const options = { method, headers: { Accept: 'application/json', ...headers }, credentials: 'same-origin', signal: AbortSignal.timeout(ANSWER_MS_MAX) };
  if (method !== 'GET') Object.assign(options.headers, CHANGES);
  if (body !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    throw new Problem({ detail: error.name === 'TimeoutError' ? t.problem.timedOut : t.problem.noAnswer });
  }
  if (!response.ok) throw await problemOf(response);
  const missing = response.headers.get('X-Tradepost-Missing');
  if (missing) noteMissing(missing.split(',').map((name) => name.trim()).filter(Boolean));
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    throw new Problem({ status: response.status, code: 'malformed_answer', detail: t.problem.malformed });
  }
}

async function problemOf(response) {
  const retryAfter = Number(response.headers.get('Retry-After')) || null;
  const body = await response.json().catch(() => ({}));
  return new Problem({ title: response.statusText, ...body, status: response.status }, retryAfter);
}

async function authenticated(...args) {
  try {
    return await call(...args);
  } catch (problem) {
    if (problem.status === 401) toSignIn();
    throw problem;
  }
}

/** Opens the sign-in page, which leads back to the wanted URL. */
export function toSignIn() {
  if (currentRoute().path === '/sign-in') return;
  const next = location.pathname.slice(BASE.length) + location.search;
  navigate(url('/sign-in', { next: next === '/' ? null : next }), { replace: true });
}

function query(params) {
  const kept = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return kept.length ? `?${new URLSearchParams(kept)}` : '';
}

/** Reads from the public API, as in `get('/v1/orders', {limit: 50})`. */
export const get = (path, params = {}) => authenticated('GET', `${BASE}/api${path}${query(params)}`);

/**
 * Changes something by the public API.
 * @param {'POST'|'PUT'|'PATCH'|'DELETE'} method
 * @param {{once?: boolean, key?: string}} [options] `once` adds an Idempotency-Key, where the route takes one.
 */
export function send(method, path, body, { once = false, key = once ? newKey() : null } = {}) {
  return authenticated(method, `${BASE}/api${path}`, body, key ? { 'Idempotency-Key': key } : {});
}

/** Makes an Idempotency-Key. `crypto.randomUUID` is absent where the page is not served over TLS or loopback. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The session: who is signed in, and what the server allows. */
export const session = {
  get: () => call('GET', `${BASE}/session`),
  signIn: (credentials) => call('POST', `${BASE}/session`, credentials),
  signOut: () => call('DELETE', `${BASE}/session`),
};

/**
 * Reads page after page until enough items match, and says how far it looked.
 * @returns {Promise<{items: any[], next: string|null, looked: number}>}
 */
export async function scan(path, params, matches, { wanted = 50, pages = 8 } = {}) {
  const items = [];
  let cursor = params.cursor;
  let looked = 0;
  for (let page = 0; page < pages; page += 1) {
    const answer = await get(path, { ...params, cursor });
    looked += answer.items.length;
    items.push(...answer.items.filter(matches));
    cursor = answer.next ?? null;
    if (!cursor || items.length >= wanted) break;
  }
  return { items, next: cursor, looked };
}

/** Answers `fallback` where the server has no such route or item. */
export async function orElse(promise, fallback) {
  try {
    return await promise;
  } catch (problem) {
    if (problem.status === 404 || problem.status === 405 || problem.status === 501) return fallback;
    throw problem;
  }
}

/**
 * Loads data for a component, again whenever `deps` change or `reload` is called.
 * The data before stays until the new is there, if the dependencies are the same.
 */
export function useLoad(load, deps) {
  const [state, setState] = useState({ data: null, problem: null, loading: true });
  const run = useRef(0);
  const start = useCallback(async (keep) => {
    const mine = ++run.current;
    if (!keep) setState({ data: null, problem: null, loading: true });
    try {
      const data = await load();
      if (mine === run.current) setState({ data, problem: null, loading: false });
    } catch (problem) {
      if (mine !== run.current) return;
      setState((before) => ({ data: keep ? before.data : null, problem, loading: false }));
    }
  }, deps);
  useEffect(() => {
    start(false);
    return () => { run.current += 1; };
  }, [start]);
  return { ...state, reload: () => start(true) };
}
