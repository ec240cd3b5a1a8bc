// All texts that people read. Another language needs another copy of this module.

const number = (value) => value.toLocaleString('en');
const many = (value, one, more = `${one}s`) => `${number(value)} ${value === 1 ? one : more}`;

export const t = {
  skip: 'Skip to the content',
  loading: 'Loading',
  close: 'Close',
  refresh: 'Refresh',
  cancel: 'Cancel',
  yes: 'yes',
  no: 'no',
  time: { now: 'now', ago: (text) => `${text} ago`, ahead: (text) => `in ${text}` },
  nav: { label: 'Pages', more: 'More', flow: 'Flow', orders: 'Orders', events: 'Events', dlq: 'Dead letters', services: 'Services', mail: 'Mail', try: 'Try it' },
  live: {
    title: 'Pause or resume live values (space)', live: 'Live', paused: 'Paused', connecting: 'Connecting', absent: 'Polling',
    stale: (age) => `Stale since ${age}`, broken: 'The live connection is broken. The values shown are old.', back: 'Values are live.',
  },
  zone: { title: 'Switch the time zone of all times', local: 'Local time', utc: 'UTC' },
  theme: { title: 'Switch between the system’s theme, light and dark', system: 'Auto', light: 'Light', dark: 'Dark' },
  copy: { text: 'Copy', done: 'Copied', curl: 'Copy as curl', command: 'Copy as command', curlShort: 'curl', commandShort: 'command', link: 'Copy link' },
  filter: { any: 'any', label: 'Filters', clear: 'Clear filters', from: 'From', to: 'To' },
  missing: (names) => `${names.join(', ')} did not answer: what ${names.length === 1 ? 'it knows' : 'they know'} is missing here.`,
  noPage: { title: 'No such page', text: (path) => `There is no page at ${path}.`, home: 'Go to the flow map' },

  problem: {
    title: 'That did not work',
    retry: 'Try again',
    requestId: 'Request',
    timedOut: 'The server did not answer in time.',
    noAnswer: 'The server cannot be reached.',
    malformed: 'The answer was not what the API promises.',
    retryAfter: (seconds) => `Try again in ${seconds} s.`,
    titles: {
      not_found: 'There is no such thing', forbidden: 'This needs an admin', peer_away: 'A service is unreachable', no_answer: 'No answer',
      invalid_query: 'A filter has no such value', malformed_request: 'The address or the input is malformed', overloaded: 'The shop is busy',
      store_unavailable: 'A database is unreachable', too_many_requests: 'Too many requests', no_module: 'A part of this page did not load',
      rate_limited: 'Too many attempts', bad_credentials: 'These credentials are wrong',
    },
    remedies: {
      not_found: 'Check the id in the address, or go to the list.',
      peer_away: 'Start the service, or look at Services for the reason.',
      no_answer: 'Check that the shop runs: tradepost health.',
      invalid_query: 'Choose another value, or clear the filters.',
      store_unavailable: 'Check the database: tradepost doctor.',
      no_module: 'Load the page again: the shop may have another version now.',
    },
    remedyOf: (status) => (status >= 500 ? 'Try again in a moment. If it stays, look for the request in the log.' : status === 403 ? 'Sign in with an admin account or the token.' : ''),
  },

  status: {
    placed: 'placed', backordered: 'backordered', reserved: 'reserved', paid: 'paid', cancelling: 'cancelling', shipped: 'shipped',
    delivered: 'delivered', rejected: 'rejected', cancelled: 'cancelled', refunded: 'refunded', partially_refunded: 'partly refunded',
    away: 'unreachable', parked: 'dead letter', done: 'handled', waiting: 'waiting behind a dead letter', ready: 'ready', degraded: 'degraded',
    unreachable: 'unreachable', none: 'none', unavailable: 'unavailable',
  },

  palette: {
    title: 'Find a page, an order, an event or an action', button: 'Find', placeholder: 'Order number, id, e-mail, or a page', none: 'Nothing is found.', hint: '↑ ↓ to choose, Enter to open, Esc to close',
    order: (number) => `Order ${number}`, orderId: (id) => `Order or event ${id}`, searchOrders: (text) => `Search orders for “${text}”`, eventsOf: (text) => `Search events for “${text}”`,
    page: 'Page', action: 'Action', pause: 'Pause or resume live values', results: 'Results',
  },
  keys: {
    title: 'Keys', button: 'Keys', off: 'Use keys of one letter', licences: 'Licences of what this page contains', offHelp: 'Without them, only Ctrl-K (⌘-K) and the keys of your browser work.',
    rows: [['?', 'This sheet'], ['Ctrl K or ⌘ K', 'Find anything'], ['g f', 'Flow map'], ['g o', 'Orders'], ['g e', 'Events'], ['g d', 'Dead letters'], ['g s', 'Services'], ['g m', 'Mail'], ['g t', 'Try it'],
      ['/', 'Search on this page'], ['j, k', 'Next and previous row'], ['Enter', 'Open the row'], ['Space', 'Pause or resume live values'], ['Esc', 'Close a dialog']],
  },

  signIn: {
    title: 'Sign in', token: 'Admin token', email: 'E-mail', password: 'Password', submit: 'Sign in', out: 'Sign out', as: (actor, until) => `Signed in as ${actor} until ${until}`,
    byToken: 'With the token', byAccount: 'With an account', ways: 'Ways to sign in',
    tokenHelp: 'The token that tradepost up printed at its first start. If it is lost: tradepost admin-token rotate.',
    accountHelp: 'An account that is an admin: tradepost users promote EMAIL.',
    linkHelp: 'On this machine, tradepost up also prints a link that signs in once.',
    reasons: { link: 'This link has been used or has expired. Sign in with the token, or restart the shop for another link.', limit: 'Too many attempts. Wait a minute, then sign in with the token.' },
    failed: 'These credentials are wrong.', limited: (seconds) => `Too many attempts. Try again in ${seconds} s.`,
  },

  flow: {
    views: 'Form of the map', map: 'Map', table: 'Table', numbers: 'Now',
    ordersPerSecond: 'Orders/s', paidP50: 'Order to paid, p50', paidP99: 'Order to paid, p99', inFlight: 'In flight', oldestUnsent: 'Oldest unsent event',
    deadLetters: 'Dead letters', unsent: (count) => `${number(count)} unsent`,
    booksRight: 'The books balance', booksWrong: 'The books do not balance', booksUnknown: 'The books are not known: a service that keeps them is unreachable.',
    bookNames: { stock: 'Stock', money: 'Money' }, checked: 'checked',
    history: 'The last 15 minutes', asTable: 'As a table', noHistory: 'The chart begins with the next values.', at: 'Time',
    chartLabel: (orders, p99, inFlight) => `Orders per second, order to paid p99 and orders in flight over 15 minutes. Last: ${orders} orders/s, ${p99}, ${inFlight} in flight. The button beside the title shows the numbers as a table.`,
    quiet: 'No events yet', quietText: 'Place an order and watch it move over the map.', quietCommand: 'tradepost orders place 123=1 --email ada@example.com --token tok_ok --watch', tryIt: 'Or place one with Try it',
  },
  map: {
    label: 'Services and the events between them', scroll: 'Map, can be scrolled', unreachable: 'unreachable',
    deadLetters: (count) => many(count, 'dead letter'), unsent: (count) => `${many(count, 'event')} unsent`, queued: (count) => `${number(count)} queued`, retrying: (count) => `${number(count)} retrying`, timersDue: (count) => `${many(count, 'timer')} late`,
    others: (count) => `${many(count, 'more pair')}`,
    inOut: (inward, outward, hasIn, hasOut) => [hasIn && `in ${inward}/s`, hasOut && `out ${outward}/s`].filter(Boolean).join(' · '),
    boxName: (service, state, troubles, flow) => [service, ...new Set([state, ...troubles, flow])].filter(Boolean).join(', '),
    edgeName: (from, to, names, sum, away) => `${from} to ${to}: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}, ${sumWords(sum, away)}.`,
    bundleName: (service, inward, outward, away) => [inward.types && `to ${service}: ${many(inward.types, 'type')}, ${sumWords(inward, away)}`, outward.types && `from ${service}: ${many(outward.types, 'type')}, ${sumWords(outward, away)}`].filter(Boolean).join('. '),
    legendEvents: 'events', legendHttp: 'HTTP', legendLabel: 'Labels: events/s · p99 from commit to effect. The line below the core stands for events from and to all services.',
    legendWarn: 'look at it', legendBad: 'failing', legendOff: 'unreachable',
    columns: { from: 'From', to: 'To', name: 'Event', per_second: 'Events/s', p99_ms: 'p99', failed_per_second: 'Failed/s', total: 'Total' },
    panelOf: (service) => `Events of ${service}`, panelBetween: (a, b) => `${a} and ${b}`, noEdges: 'There are no events between these services.',
    sum: (rate, p99) => `${rate}/s · p99 ${p99}`, failing: (rate) => `${rate} failed/s`, showTypes: (count) => `Show ${many(count, 'type')}`,
    latest: 'Latest events', latestOf: (asked, all) => `Of ${asked} of its ${all} types.`,
  },

  pager: { next: 'Next page', first: 'First page', back: 'Back' },
  json: { copy: 'Copy the data', save: 'Save', cut: (size) => `The first ${size} are shown.`, all: 'Show all' },

  orders: {
    search: 'Search', searchHint: 'Number, e-mail, sku or product', status: 'Status', age: 'Older than', number: 'Order', customer: 'Customer', content: 'Content', total: 'Total', placed: 'Placed', changed: 'Changed',
    ages: { '1m': '1 minute', '5m': '5 minutes', '1h': '1 hour', '1d': '1 day', '7d': '7 days' },
    looked: (looked) => `Looked through ${many(looked, 'order')}.`, lookFurther: 'Look further',
    noMatch: 'No order matches', noMatchText: 'Change the search, or clear the filters.', none: 'No orders yet', noneText: 'Place the first one.',
  },
  order: {
    order: 'Order', title: (number) => `Order ${number}`, noNumber: (number) => `There is no order ${number}.`, placed: 'placed', why: 'Why this order is where it is', healthy: 'This order is healthy', stuck: (cause) => `This order is stuck: ${cause}`,
    story: 'Story', views: 'Form of the story', sentences: 'Story', waterfall: 'Waterfall', graph: 'Causes', events: 'Events',
    noStory: 'The story cannot be read now: the services that have it are unreachable.', emptyStory: 'No service has an event of this order any more. Events are kept as long as the archive of their service.',
    content: 'Content', total: 'Total', details: 'Details', payment: 'Payment', refunded: 'Refunded', reason: 'Reason', waits: 'Waits for stock', position: (position) => `place ${position} in the queue`,
    shipment: 'Shipment', shipTo: 'Ship to', id: 'Id',
    reasons: { out_of_stock: 'too little stock', payment_failed: 'the payment failed', expired: 'nobody paid in time', customer: 'cancelled by its customer', cancelled: 'cancelled', not_sent: 'nothing of it was sent' },
    causes: {
      consumer_unreachable: 'a service is unreachable', consumer_away: 'a service is unreachable', store_unreachable: 'a database is unreachable', consumer_frozen: 'a service is frozen',
      consumer_not_receiving: 'a service receives no events', queue_backlog: 'a queue has a backlog', backing_off: 'a delivery is tried again later', parked: 'a dead letter', behind_parked: 'it waits behind a dead letter',
      outbox_unsent: 'an event is not sent', provider_slow: 'the payment provider is slow', provider_in_doubt: 'a charge is in doubt', timer_late: 'a timer is late', no_answer: 'an answer is missing',
    },
  },
  actions: {
    title: 'Actions', copy: 'Copy as', cancel: 'Cancel order', cancelText: (number) => `Order ${number} is cancelled, and what was held or paid for it goes back. If a part of it has left, the order goes on.`,
    dispatch: 'Dispatch', dispatchText: 'The whole shipment leaves, and its customer gets a mail.', deliver: 'Deliver', deliverText: 'The shipment has arrived.',
    pay: 'Pay', payText: 'The order is charged with another payment token.', asked: { token: 'Payment token' },
    refund: 'Refund', refundText: 'All of the payment goes back.', repair: (name, consumer) => `Repair ${name} at ${consumer}`, done: (label) => `${label}: done`,
  },

  story: {
    by: (service) => `by ${service}`, later: (text) => `${text} later`, nobody: 'Nobody reacts to it.', openEvent: 'Open the event',
    handled: (names) => `Handled by ${names.join(', ')}.`,
    delivery: ({ consumer, status, attempts }) => `${consumer}${status === 'done' ? `, in ${many(attempts, 'attempt')}` : attempts ? `, after ${many(attempts, 'attempt')}` : ', not yet taken'}`,
    decided: (decision, by, at) => `(${decision === 'replay' ? 'replayed' : 'discarded'} by ${by} at ${at})`,
    columns: ['Consumer', 'Status', 'Attempts', 'Time', 'Reason'],
    sentence: (name, data, format) => SENTENCES[name]?.(data, format) ?? `${name}.`,
  },
  waterfall: {
    effect: 'from the event to its effect',
    tick: 'retry',
    skew: 'Clocks of machines differ: an effect has an earlier time than its cause.', pauses: 'Pauses', pause: (text) => `⋯ ${text}`, attempts: (count) => many(count, 'attempt'),
  },
  causes: { root: 'from outside', by: (name) => `caused by ${name}`, short: { parked: 'dead letter', retrying: 'retrying', waiting: 'waiting', pending: 'pending' } },

  events: {
    pause: 'Pause', resume: 'Resume', fresh: (count) => `+${number(count)} new`, export: 'Export NDJSON', text: 'Text in data', textHint: 'An id, e-mail, sku …', type: 'Type', service: 'Service', subject: 'Subject', subjectHint: 'Id of an order, product …',
    outcome: 'Outcome', parked: 'dead letter', notParked: 'no dead letter', shown: (shown, all) => `${number(shown)} shown of ${many(all, 'event')} loaded`, dropped: (count) => `${number(count)} older ones were dropped from this page.`,
    older: 'Load older events', ofSubject: (id) => `All events of ${id}`, noMatch: 'No event matches', noMatchText: (count) => `None of the ${count} events loaded matches the filters. Load older ones, or clear the filters.`, noneOfType: 'There are no such events.',
  },
  event: {
    event: 'Event', by: (service) => `emitted by ${service}`, deliveries: 'Deliveries', data: 'Data', headers: 'Headers', id: 'Id', type: 'Type', time: 'Time', service: 'Emitted by', subject: 'Subject', sequence: 'Sequence', lane: 'Lane', correlation: 'Correlation',
    openOrder: 'Open its order', causes: 'Cause and effects', cause: 'Caused by', effects: 'Effects', noCause: 'A request or a timer:', noEffects: 'No other event of this subject was caused by it.',
  },

  dlq: {
    letter: 'Dead letter', range: 'Replay a time range', count: 'Count', cause: 'Consumer, event and reason', orders: 'Subjects', first: 'First', last: 'Last', actions: 'Actions',
    replay: 'Replay', replayOne: 'Replay this dead letter', replayGroup: (count) => `Replay ${many(count, 'dead letter')}`, replayChosen: (count) => (count ? `Replay ${number(count)} chosen` : 'Replay the chosen'), replayAll: 'Replay the group',
    noReason: 'No reason was recorded.',
    none: 'No dead letters', noneText: 'Each event was handled. One that cannot be handled after all its attempts is listed here.',
    groupEmpty: 'This group is empty', groupEmptyText: 'Its dead letters were replayed or discarded.', allGroups: 'All groups', letters: (count) => many(count, 'dead letter'),
    chooseAll: 'Choose all on this page', choose: (id) => `Choose ${id}`, event: 'Event', key: 'Subject', reason: 'Reason', attempts: 'Attempts', failed: 'Failed', id: 'Id', consumer: 'Consumer',
    title: (name, consumer) => `${name} at ${consumer}`, tried: (count) => many(count, 'attempt'), why: 'Why it failed', body: 'Data', noBody: 'It has no data.', plainText: 'The data is text, not JSON.',
    discard: 'Discard', discardText: 'It will never be handled, and that can’t be undone. What waits behind it follows.',
  },
  replay: {
    rate: 'Rate', perSecond: (rate) => `${rate} per second`, text: 'Each is handled again, with all its attempts. What waits behind it follows.', start: 'Start', stop: 'Stop', progress: 'Progress', range: 'Replay a time range', consumer: 'Consumer (all if empty)',
    rangeText: 'All that failed between these times.', found: (count) => `${count} are in this range.`,
    report: ({ state, total, done, failed }) => `${state === 'running' ? 'Replaying' : state === 'stopped' ? 'Stopped' : 'Finished'}: ${number(done)} of ${number(total)} replayed${failed ? `, ${number(failed)} failed again` : ''}.`,
  },

  services: {
    alerts: (count) => many(count, 'open alert'), acknowledge: 'Acknowledge', alertKinds: { low_stock: 'low stock', purchase_order_overdue: 'purchase order late', refund_failed: 'refund failed', dead_letters: 'dead letters', order_stuck: 'order stuck', webhook_disabled: 'webhook disabled' },
    columns: ['Service', 'State', 'Version or reason', 'Instances', 'Memory', 'Events/s', 'p99', 'Queued', 'Unsent', 'Timers late', 'Dead letters'],
    unknown: (name) => `There is no service ${name}`, unknownText: 'Choose one of the list.', itsEvents: 'Its events', readiness: 'State', fine: 'It is ready, and nothing waits for too long.', outbox: 'Unsent events', oldest: 'Oldest unsent', queued: 'Queued deliveries', timers: 'Timers late',
    instances: (count) => many(count, 'instance'), instanceColumns: ['Name', 'Version', 'Uptime', 'Memory'], consumers: (count) => `Handles ${many(count, 'type')} of events`,
    consumerColumns: ['Event', 'Events/s', 'Handled', 'Failed', 'Retried', 'p50', 'p90', 'p99'],
  },
  mail: {
    none: 'No mail yet', noneText: 'Mail is captured where no mail server is set. An order makes the first one.', forms: 'Form of the mail', html: 'HTML', text: 'Text', source: 'Source', to: 'To', state: 'State', template: 'Template', after: (name) => `after ${name}`,
    order: 'Order', messageId: 'Message-ID', noHtml: 'The HTML form is not served here, so this is its text.', frame: (subject) => `Mail: ${subject}`,
  },
  try: {
    title: 'Try it', note: 'Real orders through the API, in this shop.', off: 'Try it is off', offText: 'It is on in a demo, and where the configuration allows it.', noProducts: 'Nothing is for sale', noProductsText: 'Add a product first.',
    scenario: 'What happens', product: 'Product', quantity: 'Quantity', email: 'E-mail', orders: (bound) => `Orders (up to ${bound})`, perSecond: (bound) => `Orders per second (up to ${bound})`,
    place: 'Place the order', placeMany: (count) => `Place ${many(count || 1, 'order')}`, stop: 'Stop', placed: 'Placed', nothing: 'A single order leads to its story.', all: 'All orders',
    result: (placed, failed) => `${many(placed, 'order')} placed${failed ? `, ${number(failed)} refused` : ''}.`, same: 'the second request got the same order', notSame: 'the second request made another order',
    scenarios: {
      good: ['Good', 'Paid at once.'], declined: ['Declined', 'The card is refused, the order is cancelled.'], soft: ['Declined softly', 'The stock stays held, another token can be sent.'], slow: ['Slow', 'The provider takes five seconds.'],
      lost: ['Lost answer', 'The provider charges and its answer is lost.'], 'too-many': ['Too many', 'More than there is: rejected.'], duplicate: ['Duplicate key', 'The same request twice makes one order.'],
    },
  },
};

/** The sentence of each event of an order. */
const SENTENCES = {
  OrderPlaced: (data, { money }) => `Order ${data.number} over ${money(data.total)} was placed${data.wait_for_stock ? ', and waits for stock if there is too little' : ''}.`,
  StockReserved: () => 'Its stock is held.',
  StockRejected: (data) => (data.waits ? 'There is too little stock: it waits for more.' : 'There is too little stock.'),
  PaymentRequested: (data, { money }) => `A payment of ${money(data.amount)} was requested.`,
  PaymentCaptured: (data, { money }) => `The provider took ${money(data.amount)}.`,
  PaymentFailed: (data) => `The provider declined the payment${data.error ? ` (${data.error})` : ''}${data.final ? '' : '; another token may follow'}.`,
  PaymentDeclined: (data) => `The payment was declined${data.error ? ` (${data.error})` : ''}. The order waits for another token.`,
  PaymentVoided: () => 'The payment ended before the provider was asked.',
  PaymentRefunded: (data, { money }) => `${money(data.amount)} went back.`,
  RefundFailed: (data, { money }) => `${money(data.amount)} could not go back${data.error ? `: ${data.error}` : ''}.`,
  OrderPaid: () => 'The order is paid.',
  OrderCancelled: (data) => `The order was cancelled${data.reason ? `: ${t.order.reasons[data.reason] ?? data.reason}` : ''}.`,
  CancellationRequested: (data) => `Somebody wants to cancel the paid order (${data.requested_by ?? 'unknown'}).`,
  OrderUpdated: (data) => `The order became ${t.status[data.status] ?? data.status}${data.reason ? `: ${t.order.reasons[data.reason] ?? data.reason}` : ''}.`,
  OrderStuck: (data) => `The order has been ${t.status[data.status] ?? data.status} for longer than it should.`,
  OrderAnonymized: () => 'The order has forgotten its customer.',
  ShipmentDispatched: (data) => `A shipment left${data.carrier ? ` with ${data.carrier}` : ''}${data.tracking_number ? `, tracking number ${data.tracking_number}` : ''}.`,
  ShipmentDelivered: () => 'A shipment arrived.',
  ShipmentStopped: () => 'Shipping answered the cancellation.',
  ShipmentReduced: () => 'Units of a shipment will not leave.',
  ExternalOrderPlaced: (data) => `An order was placed elsewhere${data.contract ? ` (${data.contract})` : ''}.`,
  ExternalOrderSettled: () => 'The order from elsewhere is settled.',
};

function sumWords(sum, away) {
  if (away) return 'unreachable';
  const rate = sum.rate == null ? 'rate unknown' : `${Number(sum.rate.toPrecision(3))} per second`;
  return rate + (sum.p99 == null ? '' : `, p99 ${Math.round(sum.p99 * 10) / 10} ms`) + (sum.failed > 0 ? ', failing' : '');
}
