"""Reads a page in headless Chromium, as its argument a file, and prints its figures as JSON.

Each width and colour scheme is looked at: nothing scrolls sideways, every text can be told from its ground, and the
console stays empty. A second argument is a directory for screenshots.
"""
import json, pathlib, sys
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

LOOK = r"""
const parse = (text) => {
  const parts = text.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
  if (text.startsWith('color(')) return [parts[0] * 255, parts[1] * 255, parts[2] * 255, parts[3] ?? 1];
  return [parts[0], parts[1], parts[2], parts[3] ?? 1];
};
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat([1]);
const light = (colour) => {
  const [r, g, b] = colour.map((part) => part / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [x, y] = [light(a), light(b)].sort((m, n) => n - m);
  return (x + 0.05) / (y + 0.05);
};
const ground = (element) => {
  const grounds = [];
  for (let at = element; at; at = at.parentElement) grounds.push(parse(getComputedStyle(at).backgroundColor));
  return grounds.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
};
const faults = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('script')) continue;
  seen += 1;
  const style = getComputedStyle(element);
  const ink = parse(element.closest('svg') ? style.fill : style.color);
  const grounds = [ground(element)];
  const bar = style.backgroundImage.match(/(rgba?|color)\([^)]*\)/);
  if (bar) grounds.push(parse(bar[0]));
  for (const under of grounds) {
    const found = contrast(over(ink, under), under);
    if (found < 4.5) faults.push(`${found.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
}
const wide = document.documentElement.scrollWidth;
if (wide > innerWidth) faults.push(`${wide} px wide on ${innerWidth}`);
if (seen < 50) faults.push(`only ${seen} texts`);
return faults;
"""

READ = r"""
const cell = (td) => ({ text: td.textContent, value: td.dataset.v ?? null });
const tables = [...document.querySelectorAll('table')].map((table) => ({
  id: table.closest('section').id,
  source: table.dataset.source,
  columns: [...table.tHead.rows[0].cells].map((th) => th.dataset.c),
  rows: [...table.tBodies[0].rows].map((row) => [...row.cells].map(cell)),
  totals: table.tFoot ? [...table.tFoot.rows[0].cells].map(cell) : [],
}));
const totals = [...document.querySelectorAll('[data-total]')].map((figure) => {
  const tile = figure.closest('[data-source]');
  const change = tile.querySelector('[data-change]');
  return { source: tile.dataset.source, name: figure.dataset.total, ...cell(figure), change: change && cell(change) };
});
const text = (css) => document.querySelector(css)?.textContent ?? null;
return { tables, totals, title: document.title, sequence: text('#sequence'), hash: text('#hash'), words: text('.words'),
  images: document.images.length, scripts: document.scripts.length, bodies: document.body.innerText,
  bars: document.querySelectorAll('#earned .wide [fill="#010000"], #earned .wide [fill="#020000"]').length,
  marks: document.querySelectorAll('#earned .wide polygon').length };
"""

TRY = r"""
const order = (id, name) => {
  const table = document.querySelector(`#${id} table`);
  const head = [...table.tHead.rows[0].cells].find((th) => th.dataset.c === name);
  const read = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[head.cellIndex].dataset.v));
  head.querySelector('button').click();
  const [down, first] = [read(), head.getAttribute('aria-sort')];
  head.querySelector('button').click();
  return { down, first, up: read(), second: head.getAttribute('aria-sort') };
};
const plot = document.querySelector('#earned .wide').parentElement;
plot.dispatchEvent(new KeyboardEvent('keydown', { key: 'Home' }));
const read = document.querySelector('#earned .read').textContent;
return { order: order('pay', 'carried'), read };
"""

page = pathlib.Path(sys.argv[1]).resolve()
options = webdriver.ChromeOptions()
options.binary_location = "/usr/bin/chromium"
for word in ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"]:
    options.add_argument(word)
options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
try:
    faults = []
    for width, height in [(375, 812), (1440, 900)]:
        for scheme in ["light", "dark"]:
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
                "features": [{"name": "prefers-color-scheme", "value": scheme}]})
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
            browser.get(page.as_uri())
            faults += [f"{width} {scheme}: {fault}" for fault in browser.execute_script(LOOK)]
            if len(sys.argv) > 2:
                import base64
                shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
                path = pathlib.Path(sys.argv[2]) / f"{page.stem}-{width}-{scheme}.png"
                path.write_bytes(base64.b64decode(shot["data"]))
    found = browser.execute_script(READ)
    tried = browser.execute_script(TRY) if "pay" in found["bodies"].lower() and found["bars"] else None
    messages = [entry["message"] for entry in browser.get_log("browser")]
    if len(sys.argv) > 2:
        pdf = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": True})
        (pathlib.Path(sys.argv[2]) / f"{page.stem}.pdf").write_bytes(base64.b64decode(pdf["data"]))
finally:
    browser.quit()
print(json.dumps({"faults": faults, "found": found, "tried": tried, "messages": messages}))
