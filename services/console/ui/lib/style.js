// The styles of all pages but the first, added once.
const link = document.createElement('link');
link.rel = 'stylesheet';
link.href = '/ui/pages.css';
const ready = new Promise((resolve) => { link.onload = resolve; link.onerror = resolve; });
document.head.append(link);
await ready;
