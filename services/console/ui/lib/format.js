// Numbers, amounts, times and names as text. Nothing here touches the page, except the choice of the time zone.
import { t } from './strings.js';

const EM_DASH = '–';
let zone = readZone();
let formats = makeFormats();
const currencyDecimals = new Map();

function readZone() {
  try {
    return localStorage.getItem('tradepost.zone') === 'utc' ? 'utc' : 'local';
  } catch {
    return 'local';
  }
}

function makeFormats() {
  const timeZone = zone === 'utc' ? 'UTC' : undefined;
  const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZone };
  return {
    clock: new Intl.DateTimeFormat('en-GB', clock),
    exact: new Intl.DateTimeFormat('en-CA', { ...clock, year: 'numeric', month: '2-digit', day: '2-digit', fractionalSecondDigits: 3, timeZoneName: 'short' }),
    day: new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
  };
}

/** The zone in which times are shown: `local` or `utc`. */
export const currentZone = () => zone;

/** Switches the zone of all times. */
export function setZone(name) {
  zone = name;
  formats = makeFormats();
  try {
    localStorage.setItem('tradepost.zone', name);
  } catch { /* A browser without storage forgets the choice. */ }
}

const known = (value) => typeof value === 'number' && Number.isFinite(value);

/** 1234567 → "1,234,567"; unknown → "–". */
export const count = (value) => (known(value) ? value.toLocaleString('en') : EM_DASH);

/** 0.034 → "0.03", 12.53 → "12.5", 1284 → "1.3k". */
export function rate(value) {
  if (!known(value)) return EM_DASH;
  if (value === 0) return '0';
  if (value < 0.01) return '<0.01';
  if (value < 1) return value.toFixed(2).replace(/0$/, '');
  if (value < 100) return value.toFixed(1).replace(/\.0$/, '');
  return compact(value);
}

/** 1284 → "1.3k", for places that are too small for the exact number. */
export function compact(value) {
  if (!known(value)) return EM_DASH;
  if (value < 1000) return String(Math.round(value));
  if (value < 1e6) return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)}k`;
  return `${(value / 1e6).toFixed(1)}M`;
}

/** Milliseconds as text of three digits at most: "0.4 ms", "41 ms", "1.9 s", "3 min". */
export function ms(value) {
  if (!known(value)) return EM_DASH;
  const size = Math.abs(value);
  if (size < 10) return `${Number(value.toFixed(1))} ms`;
  if (size < 1000) return `${Math.round(value)} ms`;
  return seconds(value / 1000);
}

/** Seconds as text: "1.9 s", "3 min", "2 h 5 min", "4 days". */
export function seconds(value) {
  if (!known(value)) return EM_DASH;
  if (value < 10) return `${Number(value.toFixed(1))} s`;
  if (value < 60) return `${Math.round(value)} s`;
  if (value < 3600) return twoUnits(value, 60, 'min', 's');
  if (value < 86_400) return twoUnits(value / 60, 60, 'h', 'min');
  if (value < 172_800) return twoUnits(value / 3600, 24, 'd', 'h');
  return `${Math.floor(value / 86_400)} days`;
}

function twoUnits(value, size, large, small) {
  const whole = Math.floor(value / size);
  const rest = Math.floor(value % size);
  return rest ? `${whole} ${large} ${rest} ${small}` : `${whole} ${large}`;
}

/** The instant of a date and time that was typed, in the zone in which times are shown. Null if it is none. */
export function instant(text) {
  const date = validDate(text && zone === 'utc' ? `${text}Z` : text);
  return date?.toISOString() ?? null;
}

/** A duration in one unit: "3 s", "60 min" is "1 h". */
export function roughly(value) {
  const units = [[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'min'], [1000, 's']];
  const [size, name] = units.find(([size]) => value >= size * 0.98) ?? units[3];
  return `${Math.max(Math.round(value / size), 1)} ${name}`;
}

/** Bytes as text: "312 B", "4.1 KiB", "256 KiB". */
export function bytes(value) {
  if (!known(value)) return EM_DASH;
  if (value < 1024) return `${value} B`;
  if (value < 1024 * 1024) return `${Number((value / 1024).toFixed(value < 10_240 ? 1 : 0))} KiB`;
  return `${Number((value / 1024 / 1024).toFixed(1))} MiB`;
}

/** An amount in minor units with its currency: "1,299.00 EUR". */
export function money(value) {
  if (!known(value?.amount)) return EM_DASH;
  const decimals = decimalsOf(value.currency);
  const text = (value.amount / 10 ** decimals).toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return `${text} ${value.currency}`;
}

function decimalsOf(currency) {
  if (!currencyDecimals.has(currency)) currencyDecimals.set(currency, intlDecimals(currency));
  return currencyDecimals.get(currency);
}

function intlDecimals(currency) {
  try {
    return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
  } catch {
    return 2;
  }
}

const validDate = (iso) => {
  const date = new Date(iso);
  return iso && !Number.isNaN(date.getTime()) ? date : null;
};

/** "14:03:21" */
export const clock = (iso) => { const date = validDate(iso); return date ? formats.clock.format(date) : EM_DASH; };

/** The time of day, and from a day on the day too: "14:03:21", "1 Dec, 14:03". */
export const stamp = (iso, now = Date.now()) => (Math.abs(now - Date.parse(iso)) < 86_400_000 ? clock(iso) : relative(iso, now));

/** "2026-12-01, 14:03:21.250 UTC" */
export const exact = (iso) => { const date = validDate(iso); return date ? formats.exact.format(date) : EM_DASH; };

/** "12 s ago", "in 3 min", and from a day on "1 Dec, 14:03". */
export function relative(iso, now = Date.now()) {
  const date = validDate(iso);
  if (!date) return EM_DASH;
  const age = (now - date.getTime()) / 1000;
  if (Math.abs(age) > 86_400) return formats.day.format(date);
  if (Math.abs(age) < 1) return t.time.now;
  const text = Math.abs(age) < 3600 ? seconds(Math.floor(Math.abs(age))) : seconds(Math.floor(Math.abs(age) / 60) * 60);
  return age > 0 ? t.time.ago(shorter(text)) : t.time.ahead(shorter(text));
}

// A list needs no seconds beside minutes.
const shorter = (text) => text.replace(/ min \d+ s$/, ' min').replace(/ h \d+ min$/, ' h');

/** `orders.order_placed.v1` → `OrderPlaced`; a name that has another form stays. */
export function eventName(type) {
  const match = /^[a-z0-9-]+\.([a-z0-9_]+)\.v(\d+)$/.exec(type ?? '');
  if (!match) return type ?? EM_DASH;
  const name = match[1].split('_').map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return match[2] === '1' ? name : `${name} v${match[2]}`;
}

/** The last eight characters of an id, which differ between ids made at the same time. */
export const shortId = (id) => (id && id.length > 12 ? `…${id.slice(-8)}` : id ?? EM_DASH);

/** `1 order`, `2 orders`. */
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
