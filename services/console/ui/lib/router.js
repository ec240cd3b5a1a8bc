// Routes by the History API. All state of a page is in its URL.
import { useEffect, useState } from '../vendor/vendor.js';

export const BASE = '/ui';

/**
 * @typedef {{path: string, query: Record<string, string>}} Route
 * `path` is relative to the base and has no slash at its end, except the start page's.
 */

const listeners = new Set();

/** Reads the route of the address bar. @returns {Route} */
export function currentRoute() {
  const path = safeDecode(location.pathname.slice(BASE.length)).replace(/\/+$/, '') || '/';
  return { path, query: Object.fromEntries(new URLSearchParams(location.search)) };
}

function safeDecode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Builds the URL of a path below the base; empty parameters are left out. @returns {string} */
export function url(path, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const search = new URLSearchParams(kept).toString();
  return BASE + (path === '/' ? '/' : path) + (search ? `?${search}` : '');
}

/** Goes to a URL of the dashboard. @param {string} to @param {{replace?: boolean}} [options] */
export function navigate(to, { replace = false } = {}) {
  const [pathBefore] = [location.pathname];
  history[replace ? 'replaceState' : 'pushState'](null, '', to);
  for (const listener of listeners) listener();
  if (location.pathname !== pathBefore) scrollTo(0, 0);
}

/** Changes parameters of the current URL. A value of null removes its parameter. */
export function setQuery(changes, { replace = true } = {}) {
  const { path, query } = currentRoute();
  navigate(url(path, { ...query, ...changes }), { replace });
}

/** Follows the route in a component. @returns {Route} */
export function useRoute() {
  const [route, setRoute] = useState(currentRoute);
  useEffect(() => {
    const update = () => setRoute(currentRoute());
    listeners.add(update);
    addEventListener('popstate', update);
    return () => {
      listeners.delete(update);
      removeEventListener('popstate', update);
    };
  }, []);
  return route;
}

/** Turns plain clicks on links of the dashboard into navigation without a page load. */
export function interceptLinks() {
  addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest?.('a[href]');
    const href = link?.getAttribute('href');
    if (!href?.startsWith(`${BASE}/`) || href.startsWith(`${BASE}/api/`) || link.hasAttribute('download') || link.target) return;
    event.preventDefault();
    navigate(href);
  });
}
