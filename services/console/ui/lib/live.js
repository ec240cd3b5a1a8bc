// The page's side of the live streams: what it wants from the hub, and hooks that follow what arrives.
import { useEffect, useState } from '../vendor/vendor.js';
import { toSignIn } from './api.js';

const WORKER = '/ui/live-worker.js';
const ALIVE_MS = 20_000;

/**
 * @typedef {'connecting'|'open'|'broken'|'absent'|'signed-out'|'closed'} StreamState
 * @typedef {{state: StreamState, since: number, paused: boolean}} LiveStatus
 */

const wanted = new Map();
const listeners = new Map();
const states = { flow: { state: 'connecting', since: Date.now() }, tail: { state: 'connecting', since: Date.now() } };
const statusListeners = new Set();
let paused = false;
let snapshot = null;
let port = null;

/** Connects to the hub of this browser. Later calls do nothing. */
export async function startLive() {
  if (port) return;
  port = typeof SharedWorker === 'function' ? workerPort() : null;
  port ??= await directPort();
  document.addEventListener('visibilitychange', tell);
  addEventListener('pagehide', () => port.postMessage(null));
  addEventListener('pageshow', tell);
  setInterval(tell, ALIVE_MS);
  tell();
}

function workerPort() {
  try {
    const worker = new SharedWorker(WORKER, { type: 'module', name: 'tradepost' });
    worker.onerror = async () => { port = await directPort(); tell(); };
    worker.port.onmessage = ({ data }) => receive(data);
    return worker.port;
  } catch {
    return null;
  }
}

async function directPort() {
  const { Hub } = await import(WORKER);
  const hub = new Hub();
  const inbox = { postMessage: receive };
  return { postMessage: (wish) => hub.want(inbox, wish) };
}

function tell() {
  port?.postMessage({ topics: [...wanted.keys()], hidden: document.hidden, paused });
}

function receive(message) {
  if (message.state) return receiveState(message);
  let data;
  try {
    data = JSON.parse(message.data);
  } catch {
    return undefined;
  }
  if (message.topic === 'flow') snapshot = data;
  states[message.topic].heard = Date.now();
  for (const listener of listeners.get(message.topic) ?? []) listener(data);
  return undefined;
}

function receiveState({ topic, state }) {
  states[topic] = { ...states[topic], state, since: states[topic].state === state ? states[topic].since : Date.now() };
  if (state === 'signed-out') toSignIn();
  for (const listener of statusListeners) listener();
}

/** Calls `listener` with each message of a topic, until the answer is called. */
export function subscribe(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(listener);
  wanted.set(topic, (wanted.get(topic) ?? 0) + 1);
  if (wanted.get(topic) === 1) tell();
  return () => {
    listeners.get(topic).delete(listener);
    wanted.set(topic, wanted.get(topic) - 1);
    if (wanted.get(topic) > 0) return;
    wanted.delete(topic);
    tell();
  };
}

/** Pauses or resumes all live values of this tab. */
export function setPaused(value) {
  paused = value;
  tell();
  for (const listener of statusListeners) listener();
}

/** Tells whether live values of this tab are paused. */
export const isPaused = () => paused;

/** Follows the newest snapshot of the flow. Null until the first arrives. */
export function useFlow() {
  const [value, setValue] = useState(snapshot);
  useEffect(() => subscribe('flow', (data) => { if (!paused) setValue(data); }), []);
  return value;
}

/** Follows a part of the snapshot, and renders only when that part changed. */
export function useFlowPart(part) {
  const [value, setValue] = useState(snapshot && part(snapshot));
  useEffect(() => subscribe('flow', (data) => setValue(part(data))), []);
  return value;
}

/** Follows the state of a stream. `heard` is the time of its last message. @returns {LiveStatus} */
export function useLiveStatus(topic = 'flow') {
  const read = () => ({ ...states[topic], paused });
  const [status, setStatus] = useState(read);
  useEffect(() => {
    const update = () => setStatus(read());
    statusListeners.add(update);
    update();
    return () => statusListeners.delete(update);
  }, [topic]);
  return status;
}

/** Tells whether shown values may be old. */
export const isStale = ({ state }) => state === 'broken';
