// Server-sent streams, read once for all tabs of a browser. It runs as a SharedWorker; where there is none, a page
// imports it and is its own hub. EventSource is not used: it hides the status of a refusal, and needs the name of
// each event in advance.

const STREAMS = { flow: '/ui/api/v1/flow/live', tail: '/ui/api/v1/events/tail' };
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;
const RETRY_MS_ABSENT = 60_000;
/** Snapshots come each second at least; the other stream is kept alive by a comment each 15 seconds. */
const SILENT_MS_MAX = { flow: 6_000, tail: 40_000 };
// Timers of a hidden tab may run only once a minute.
const CLIENT_SILENT_MS_MAX = 150_000;
const EVENT_CHARS_MAX = 4_000_000;

/**
 * Splits a byte stream into server-sent events.
 * @param {(event: {id: string, name: string, data: string}) => void} onEvent
 */
export function eventParser(onEvent) {
  let rest = '';
  let fields = { id: '', name: 'message', data: [] };
  const line = (text) => {
    if (text === '') {
      if (fields.data.length) onEvent({ ...fields, data: fields.data.join('\n') });
      fields = { id: fields.id, name: 'message', data: [] };
      return;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(text);
    if (field === 'data') fields.data.push(value);
    else if (field === 'event') fields.name = value;
    else if (field === 'id') fields.id = value;
  };
  return (chunk) => {
    rest += chunk;
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    if (rest.length > EVENT_CHARS_MAX) throw new Error('an event is too large');
    lines.forEach(line);
  };
}

/** One stream that connects again after a break, and whoever listens to it. */
class Stream {
  constructor(topic, publish) {
    Object.assign(this, { topic, publish, lastId: '', retryMs: RETRY_MS_MIN, abort: null, timer: null, address: null });
    this.last = null;
    this.state = 'closed';
  }

  /** Opens the stream at this address, or closes it for null. */
  set(address) {
    if (address === this.address) return;
    this.address = address;
    this.close();
    if (address) this.connect();
  }

  close() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
    this.report('closed');
  }

  report(state) {
    if (state === this.state) return;
    this.state = state;
    this.publish({ topic: this.topic, state });
  }

  async connect() {
    const abort = new AbortController();
    this.abort = abort;
    if (this.state !== 'broken') this.report('connecting');
    try {
      const headers = { Accept: 'text/event-stream', ...(this.lastId ? { 'Last-Event-ID': this.lastId } : {}) };
      const response = await fetch(this.address, { headers, credentials: 'same-origin', cache: 'no-store', signal: abort.signal });
      if (!response.ok || !response.body) return this.refused(response.status, abort);
      this.report('open');
      await this.read(response.body, abort);
    } catch { /* A break, which is the same as an end. */ }
    if (this.abort === abort) this.again('broken');
  }

  refused(status, abort) {
    if (this.abort !== abort) return;
    if (status === 401) this.report('signed-out');
    else this.again(status === 404 ? 'absent' : 'broken', status === 404 ? RETRY_MS_ABSENT : undefined);
  }

  again(state, delay = this.retryMs * (0.75 + Math.random() / 2)) {
    this.report(state);
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MS_MAX);
    this.timer = setTimeout(() => this.connect(), delay);
  }

  async read(body, abort) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = eventParser((event) => {
      this.lastId = event.id;
      this.retryMs = RETRY_MS_MIN;
      this.last = { topic: this.topic, name: event.name, data: event.data };
      this.publish(this.last);
    });
    for (;;) {
      const watchdog = setTimeout(() => abort.abort(), SILENT_MS_MAX[this.topic]);
      // The abort of the request ends the read too.
      const { done, value } = await reader.read().finally(() => clearTimeout(watchdog));
      if (done) return;
      parse(value);
    }
  }
}

/** Clients with their wishes, and the streams that follow from them. */
export class Hub {
  constructor() {
    this.clients = new Map();
    const publish = (message) => {
      for (const [port, client] of this.clients) if (client.topics.includes(message.topic)) port.postMessage(message);
    };
    this.streams = Object.keys(STREAMS).map((topic) => new Stream(topic, publish));
    setInterval(() => this.dropSilent(), 30_000);
  }

  /** Takes what a client wants: `{topics, hidden, paused}`, or null when it leaves. */
  want(port, wish) {
    const before = this.clients.get(port)?.topics ?? [];
    if (wish) this.clients.set(port, { ...wish, seen: Date.now() });
    else this.clients.delete(port);
    this.apply();
    for (const stream of this.streams) {
      if (!wish?.topics.includes(stream.topic) || before.includes(stream.topic)) continue;
      port.postMessage({ topic: stream.topic, state: stream.state });
      if (stream.last && stream.topic === 'flow' && stream.state === 'open') port.postMessage(stream.last);
    }
  }

  apply() {
    const clients = [...this.clients.values()];
    for (const stream of this.streams) {
      const active = clients.filter((client) => client.topics.includes(stream.topic) && !client.paused);
      const slow = stream.topic === 'flow' && active.every((client) => client.hidden);
      stream.set(active.length ? STREAMS[stream.topic] + (slow ? '?hz=1' : '') : null);
      if (stream.state === 'signed-out' && active.length) stream.connect();
    }
  }

  dropSilent() {
    for (const [port, client] of this.clients) if (Date.now() - client.seen > CLIENT_SILENT_MS_MAX) this.clients.delete(port);
    this.apply();
  }
}

if (typeof SharedWorkerGlobalScope !== 'undefined' && self instanceof SharedWorkerGlobalScope) {
  const hub = new Hub();
  self.onconnect = ({ ports: [port] }) => {
    port.onmessage = ({ data }) => hub.want(port, data);
  };
}
