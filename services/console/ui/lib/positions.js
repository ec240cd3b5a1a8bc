// The geometry of the flow map: where each box, line and label is. Pure functions, so that tests can assert that
// nothing overlaps.

export const BOX = { width: 140, height: 60 };
const SMALL = { width: 122, height: 52 };
const LABEL = { width: 126, row: 16, padding: 4 };
const FRAME = { x: 14, y: 14, width: 966, height: 422 };
const RAIL_Y = 474;
const ROW_Y = 548;
const SPARE_X = 1040;
const SPARE_PITCH = 118;
const SPARE_COLUMN = 280;
const SPARE_ROWS = 4;

/** Centres of the services of the core, placed by hand so that no two of their lines cross. */
export const CORE = {
  suppliers: { x: 104, y: 225 },
  inventory: { x: 362, y: 86 },
  catalog: { x: 362, y: 364 },
  orders: { x: 620, y: 225 },
  payments: { x: 878, y: 86 },
  shipping: { x: 878, y: 364 },
};

/** Services that exchange events with almost all others: they hang on the rail, which stands for all these lines. */
export const ON_RAIL = ['users', 'admin', 'notifications', 'analytics', 'webhooks', 'bridge', 'console'];

// Pairs of the core that have a line. Others are counted by one label between the frame and the rail.
const LINES = [
  ['catalog', 'inventory'], ['catalog', 'orders'], ['catalog', 'suppliers'], ['inventory', 'suppliers'], ['inventory', 'orders'],
  ['inventory', 'payments'], ['orders', 'payments'], ['orders', 'shipping'], ['catalog', 'shipping'], ['payments', 'shipping'],
];

const pairKey = (a, b) => [a, b].sort().join('~');
const DRAWN = new Set(LINES.map(([a, b]) => pairKey(a, b)));

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Rect
 * @typedef {{service: string, kind: 'core'|'rail'|'spare', rect: Rect}} PlacedBox
 */

const around = ({ x, y }, { width, height }) => ({ x: x - width / 2, y: y - height / 2, width, height });

/**
 * Places the boxes of these services. A service without a place of its own gets the next one of the spare columns at
 * the right: four in a column, and as many columns as needed.
 * @param {string[]} services
 * @returns {{boxes: PlacedBox[], width: number, height: number, spare: boolean}}
 */
export function placeBoxes(services) {
  const spare = services.filter((name) => !CORE[name] && !ON_RAIL.includes(name)).sort();
  const boxes = services.filter((name) => CORE[name]).map((service) => ({ service, kind: 'core', rect: around(CORE[service], BOX) }));
  ON_RAIL.forEach((service, index) => {
    if (services.includes(service)) boxes.push({ service, kind: 'rail', rect: around({ x: railX(index), y: ROW_Y + SMALL.height / 2 }, SMALL) });
  });
  spare.forEach((service, index) => boxes.push({ service, kind: 'spare', rect: around(sparePlace(index), SMALL) }));
  const columns = Math.ceil(spare.length / SPARE_ROWS);
  return { boxes, width: columns ? SPARE_X + columns * SPARE_COLUMN : 994, height: ROW_Y + SMALL.height + 12, spare: columns > 0 };
}

const railX = (index) => FRAME.x + SMALL.width / 2 + 2 + index * ((FRAME.width - SMALL.width - 4) / (ON_RAIL.length - 1));

function sparePlace(index) {
  const column = Math.floor(index / SPARE_ROWS);
  return { x: SPARE_X + column * SPARE_COLUMN + 200, y: 46 + SMALL.height / 2 + (index % SPARE_ROWS) * SPARE_PITCH };
}

/** The frame of the core, the rail below it, and the branch to the spare columns. */
export function rail(columnsWidth, spare) {
  const end = spare ? columnsWidth - SPARE_COLUMN - 10 : FRAME.x + FRAME.width;
  return { frame: FRAME, y: RAIL_Y, x1: FRAME.x, x2: end, branches: spare ? spareBranches(columnsWidth) : [] };
}

function spareBranches(width) {
  const columns = Math.round((width - SPARE_X) / SPARE_COLUMN);
  return Array.from({ length: columns }, (_, column) => ({ x: SPARE_X + column * SPARE_COLUMN - 10, y1: 46, y2: RAIL_Y }));
}

/** Tells whether this pair has a line of its own. */
export const hasLine = (a, b) => DRAWN.has(pairKey(a, b));

/**
 * The line between two services of the core, from edge to edge of their boxes, and its label's rectangle.
 * @param {string} a @param {string} b @param {number} rows Rows of the label.
 */
export function lineBetween(a, b, rows) {
  const from = clip(CORE[a], CORE[b]);
  const to = clip(CORE[b], CORE[a]);
  return { from, to, label: labelAt({ x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 }, rows) };
}

/** The connector between a box and the rail, and its label's rectangle. */
export function connector(box, rows) {
  const { x, y, width, height } = box.rect;
  if (box.kind === 'spare') {
    const from = { x: x - 149, y: y + height / 2 };
    const to = { x, y: y + height / 2 };
    return { from, to, label: labelAt({ x: x - 75, y: from.y }, rows) };
  }
  const middle = x + width / 2;
  return { from: { x: middle, y: RAIL_Y }, to: { x: middle, y }, label: labelAt({ x: middle, y: (RAIL_Y + y) / 2 }, rows) };
}

/** The label between the frame and the rail, for pairs of the core without a line. */
export const otherLabel = () => labelAt({ x: FRAME.x + FRAME.width / 2, y: (FRAME.y + FRAME.height + RAIL_Y) / 2 }, 1);

const labelAt = (centre, rows) => around(centre, { width: LABEL.width, height: rows * LABEL.row + LABEL.padding });

/** The point where the line from the centre of a box to another centre leaves the box. */
function clip(centre, other) {
  const dx = other.x - centre.x;
  const dy = other.y - centre.y;
  const gap = 5;
  const scale = Math.min(
    dx ? (BOX.width / 2 + gap) / Math.abs(dx) : Infinity,
    dy ? (BOX.height / 2 + gap) / Math.abs(dy) : Infinity,
  );
  return { x: centre.x + dx * scale, y: centre.y + dy * scale };
}

/** Tells whether two rectangles share a point. */
export const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
