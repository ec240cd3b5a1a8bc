// A chart of time series by uPlot, in the colours of the page.
import { html, uPlot, useEffect, useRef } from '../vendor/vendor.js';
import { clock } from './format.js';

const HEIGHT = 150;

/**
 * @param {{data: number[][], series: {label: string, color: string, unit: string, scale: string, dash?: number[]}[], label: string}} props
 * `data` is as for uPlot: seconds first. `color` names a CSS variable.
 */
export function Chart({ data, series, label }) {
  const host = useRef(null);
  const plot = useRef(null);
  const newest = useRef(data);
  newest.current = data;
  useEffect(() => {
    const element = host.current;
    const build = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element, series), newest.current, element);
    };
    build();
    const resize = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width && plot.current && Math.abs(width - plot.current.width) > 1) plot.current.setSize({ width, height: HEIGHT });
    });
    resize.observe(element);
    // The canvas does not follow the colour scheme by itself.
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', build);
    addEventListener('tradepost-theme', build);
    return () => {
      resize.disconnect();
      scheme.removeEventListener('change', build);
      removeEventListener('tradepost-theme', build);
      plot.current.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [data]);
  return html`<div class="chart" ref=${host} role="img" aria-label=${label}></div>`;
}

function options(host, series) {
  const color = colorsOf(host);
  const axis = (scale, side, unit) => ({
    scale, side, stroke: color('--text-soft'), size: 52, font: '11px system-ui', gap: 4,
    grid: { show: side === 3, stroke: color('--line'), width: 1 }, ticks: { show: false },
    values: (_, splits) => splits.map((value) => (value == null ? '' : `${+value.toPrecision(4)}${unit}`)),
  });
  const scales = [...new Map(series.map((it) => [it.scale, it])).values()];
  return {
    width: host.clientWidth || 600,
    height: HEIGHT,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: Object.fromEntries(scales.map((it) => [it.scale, { range: (_, low, high) => [0, Math.max(high * 1.15, 1)] }])),
    axes: [
      { stroke: color('--text-soft'), font: '11px system-ui', size: 26, gap: 4, grid: { show: false }, ticks: { stroke: color('--line'), size: 4 },
        values: (_, splits) => splits.map((value) => clock(new Date(value * 1000).toISOString()).slice(0, 5)) },
      ...scales.slice(0, 2).map((it, index) => axis(it.scale, index === 0 ? 3 : 1, it.unit)),
    ],
    series: [{}, ...series.map((it) => ({
      label: it.label, scale: it.scale, stroke: color(it.color), width: 1.6, dash: it.dash, points: { show: false }, spanGaps: false,
    }))],
  };
}

// A canvas cannot read `light-dark()`: the browser resolves it on an element.
function colorsOf(host) {
  return (name) => {
    const probe = document.createElement('i');
    probe.style.color = `var(${name})`;
    host.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };
}
