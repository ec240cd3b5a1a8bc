// Rows that are drawn only where they are visible, and the pager of lists that the server pages.
import { html, useEffect, useRef, useState } from '../vendor/vendor.js';
import { setQuery, useRoute } from './router.js';
import { t } from './strings.js';

const SPARE_ROWS = 8;

/**
 * A list of rows of one height. Only the visible ones are in the page, however many there are.
 * @param {{items: any[], height: number, row: (item: any, index: number) => any, label: string, onScroll?: (top: number) => void}} props
 */
export function VirtualRows({ items, height, row, label, onScroll }) {
  const host = useRef(null);
  const [view, setView] = useState({ first: 0, rows: 40 });
  useEffect(() => {
    const element = host.current;
    const update = () => {
      setView({ first: Math.floor(element.scrollTop / height), rows: Math.ceil(element.clientHeight / height) });
      onScroll?.(element.scrollTop);
    };
    update();
    element.addEventListener('scroll', update, { passive: true });
    const resize = new ResizeObserver(update);
    resize.observe(element);
    return () => {
      element.removeEventListener('scroll', update);
      resize.disconnect();
    };
  }, [height]);
  const first = Math.max(0, Math.min(view.first - SPARE_ROWS, items.length));
  const last = Math.min(items.length, view.first + view.rows + SPARE_ROWS);
  return html`
    <div class="virtual" ref=${host} tabindex="0" role="region" aria-label=${label}>
      <div class="virtual-all" style=${{ height: `${items.length * height}px` }}>
        <ul style=${{ transform: `translateY(${first * height}px)` }}>${items.slice(first, last).map((item, index) => row(item, first + index))}</ul>
      </div>
    </div>`;
}

/** Links to the first and the next page. The cursor is in the URL, so that Back leads to the page before. */
export function Pager({ next, children }) {
  const { query } = useRoute();
  if (!next && !query.cursor && !children) return null;
  return html`
    <div class="pager">
      ${query.cursor && html`<button type="button" onClick=${() => history.back()}>${t.pager.back}</button>
        <button type="button" onClick=${() => setQuery({ cursor: null }, { replace: false })}>${t.pager.first}</button>`}
      ${next && html`<button type="button" onClick=${() => setQuery({ cursor: next }, { replace: false })}>${t.pager.next}</button>`}
      <span class="note">${children}</span>
    </div>`;
}
