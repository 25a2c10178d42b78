"use strict";
const NARROW = 700, CELL = 17, CHARACTER = 7.6, MOST_ROWS = 12;
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, options = {}) => Object.assign(document.createElement(tag), options);

async function unpack(id) {
  const coded = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(coded.length);
  for (let at = 0; at < coded.length; at++) bytes[at] = coded.charCodeAt(at);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

/* Figures: plotly's layout, adapted to the width there is. */

const axes = (layout, letter) => Object.keys(layout).filter((key) => new RegExp(`^${letter}axis\\d*$`).test(key)).sort();

function legendBelow(layout, data, width) {
  const named = data.filter((trace) => trace.name && trace.showlegend !== false && trace.visible !== false);
  if (layout.showlegend === false || named.length < 2) {
    layout.showlegend = false;  // the menu names the only one
    return 0;
  }
  const widest = Math.max(...named.map((trace) => trace.name.length)) * CHARACTER + 45;
  const rows = Math.ceil(named.length / Math.max(1, Math.floor(width / widest)));
  layout.legend = { orientation: "h", x: 0, xref: "container", xanchor: "left", y: 0, yref: "container", yanchor: "bottom",
    font: { size: 12 }, itemsizing: "constant", tracegroupgap: 0 };
  return rows * 19 + 12;
}

/* Panels side by side get one below the other where they would be too small; each keeps its title and colour bar. */
function stack(layout, data, width) {
  const across = axes(layout, "x"), count = across.length;
  const map = data.find((trace) => trace.type === "heatmap");
  if (count < 2) return 0;
  const cells = map ? map.x.length : 10;
  if (width >= NARROW && (width - 170) / count / cells >= CELL) return 0;
  const side = Math.min(width - 110, 460), gap = 96, height = count * (side + gap);
  const domain = (panel) => [1 - (panel * (side + gap) + side) / (height - gap), 1 - (panel * (side + gap)) / (height - gap)].map((v) => Math.max(0, v));
  across.forEach((key, panel) => {
    layout[key].domain = [0, 1];
    const up = layout[key.replace("x", "y")], [low, high] = domain(panel);
    Object.assign(up, { domain: [low, high], showticklabels: true });
    delete up.matches;
    up.title = layout.yaxis.title;
    Object.assign(layout.annotations[panel], { x: 0, xanchor: "left", y: high });
  });
  const share = side / (height - gap);
  const bars = Object.keys(layout).filter((key) => /^coloraxis\d*$/.test(key)).sort();
  bars.forEach((key, index) => {
    const panel = index === 0 ? 0 : count - 1, [low, high] = domain(panel);
    Object.assign(layout[key].colorbar ??= {}, { y: (low + high) / 2, len: share, thickness: 10 });
  });
  return height - 320;
}

function adapt(view, width) {
  const layout = structuredClone(view.layout), data = view.data;
  const narrow = width < NARROW;
  delete layout.title;
  delete layout.updatemenus;
  const panels = axes(layout, "x").length > 1;
  layout.margin = { l: narrow ? 44 : 60, r: narrow ? 8 : 20, t: narrow ? (panels ? 34 : 14) : (panels ? 56 : 34), b: 44, autoexpand: true };
  layout.autosize = true;
  layout.width = width;
  layout.height = (layout.height ? layout.height - (layout.sliders ? 20 : 90) : 380);
  layout.height += stack(layout, data, width) + legendBelow(layout, data, width);
  if (layout.sliders) layout.height += 40;
  for (const key of [...axes(layout, "x"), ...axes(layout, "y")]) {
    layout[key].automargin = true;
    if (narrow) Object.assign(layout[key], { fixedrange: true });
    if (layout[key].title) layout[key].title = { ...layout[key].title, font: { size: narrow ? 12 : 14 }, standoff: 6 };
    if (narrow) layout[key].tickfont = { size: 11 };
  }
  for (const note of layout.annotations ?? []) note.font = { size: 13 };
  if (narrow) layout.dragmode = false;
  return layout;
}

/* Numbers in cells only where they fit. */
function fit(view, layout, width) {
  const panels = axes(layout, "x").length, stacked = panels > 1 && layout.xaxis2?.domain?.[0] === 0;
  return view.data.map((trace) => {
    if (trace.type !== "heatmap" || !trace.texttemplate) return trace;
    const room = (width - 170) / (stacked ? 1 : panels) / trace.x.length;
    return room >= 30 ? trace : { ...trace, texttemplate: undefined };
  });
}

function draw(plot) {
  const [, view] = plot.views[plot.chosen], width = Math.floor(plot.clientWidth);
  if (!width) return;
  const menu = view.layout.updatemenus?.[0]?.buttons;
  const shown = menu?.[plot.entry]?.args?.[0]?.visible;
  const flagged = shown ? { ...view, data: view.data.map((trace, at) => ({ ...trace, visible: shown[at] })) } : view;
  const layout = adapt(flagged, width);
  const config = { displaylogo: false, responsive: false, displayModeBar: width < NARROW ? false : "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  plot.width = width;
  plot.style.minHeight = `${layout.height}px`;
  plot.classList.remove("packed");
  window.Plotly.newPlot(plot, { data: structuredClone(fit(flagged, layout, width)), layout, frames: structuredClone(view.frames ?? []), config });
}

/* Menus of plotly become the browser's own: they never lie under the toolbar, and a finger can use them. */
function choices(plot) {
  const several = plot.views.length > 1;
  const buttons = several ? plot.views.map(([label]) => label) : (plot.views[0][1].layout.updatemenus?.[0]?.buttons ?? []).map((b) => b.label);
  plot.chosen = plot.entry = 0;
  if (buttons.length < 2) return;
  const label = make("label", { className: "choice", textContent: "Show " });
  const select = make("select");
  // Labels are escaped for plotly, which reads markup.
  const plain = (text) => new DOMParser().parseFromString(text, "text/html").body.textContent;
  select.append(...buttons.map((text, at) => make("option", { value: at, textContent: plain(text) })));
  select.addEventListener("change", () => {
    plot[several ? "chosen" : "entry"] = Number(select.value);
    draw(plot);
  });
  label.append(select);
  plot.before(label);
}

function figures(views) {
  const plots = all(".plot");
  const drawn = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      drawn.unobserve(target);
      draw(target);
    }
  }, { rootMargin: "600px" });
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) if (target.width && target.width !== Math.floor(target.clientWidth)) draw(target);
  });
  for (const plot of plots) {
    plot.views = views[plot.dataset.figure];
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-label", plot.parentElement.querySelector("h2, h3")?.textContent ?? plot.dataset.figure);
    choices(plot);
    drawn.observe(plot);
    resized.observe(plot);
  }
  window.drawAll = () => plots.filter((plot) => !plot.width).forEach(draw);
  addEventListener("beforeprint", window.drawAll);
}

/* Tables */

const number = (text) => { const found = parseFloat(text.replace(/^[<\s]+/, "")); return Number.isNaN(found) ? null : found; };

function sort(table, column) {
  const head = table.tHead.rows[0].cells[column], numeric = head.classList.contains("number");
  const down = head.getAttribute("aria-sort") === "ascending";
  const key = (row) => { const text = row.cells[column].textContent; return numeric ? number(text) : text || null; };
  const compare = (a, b) => {
    const [one, two] = [key(a), key(b)];
    if (one === null || two === null) return (one === null) - (two === null);  // empty cells last
    const order = numeric ? one - two : one.localeCompare(two, undefined, { numeric: true });
    return down ? -order : order;
  };
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
}

function filter(box, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean), rows = [...box.querySelector("tbody").rows];
  for (const row of rows) {
    const cells = [...row.cells].map((cell) => cell.textContent.toLowerCase());
    // A short word is a language code: the whole cell.
    row.hidden = !words.every((word) => cells.some((cell) => cell === word || (word.length > 2 && cell.includes(word))));
  }
  const left = rows.filter((row) => !row.hidden).length;
  box.querySelector("output").textContent = words.length ? `${left} of ${rows.length} rows` : "";
  whole(box);
}

/* The box of a table holds a whole number of rows, whatever a horizontal scroll bar takes. */
function whole(box) {
  const scroll = box.querySelector(".scroll"), row = scroll.querySelector("tbody tr:not([hidden])");
  if (!row?.offsetHeight) return;
  const bars = scroll.offsetHeight - scroll.clientHeight;
  scroll.style.maxHeight = `${scroll.querySelector("thead").offsetHeight + MOST_ROWS * row.offsetHeight + bars}px`;
}

function tables(files, rows) {
  for (const box of all("details.table")) {
    const table = box.querySelector("table"), link = box.querySelector(".csv");
    const packed = rows?.[link.dataset.table];
    if (packed) table.tBodies[0].innerHTML = packed;  // escaped where it was written, as the other rows
    [...table.tHead.rows[0].cells].forEach((cell, column) => cell.firstElementChild.addEventListener("click", () => sort(table, column)));
    box.querySelector("input").addEventListener("input", (event) => filter(box, event.target.value));
    box.addEventListener("toggle", () => whole(box));
    whole(box);
    if (files) link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(files[link.dataset.table])}`;
  }
}

/* Contents: folded on small screens; the entry of the section in view is marked. */

function contents() {
  const fold = document.querySelector("nav details");
  const small = matchMedia("(max-width: 63.99rem)");
  const set = () => { fold.open = !small.matches; };
  set();
  small.addEventListener("change", set);
  const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
  fold.addEventListener("click", (event) => { if (event.target.tagName === "A" && small.matches) fold.open = false; });
  const parts = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  const mark = () => {
    const now = parts.filter((part) => part.getBoundingClientRect().top < 120).pop() ?? parts[0];
    for (const [id, link] of links) {
      link.classList.toggle("now", id === now?.id);
      if (id === now?.id) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, { passive: true });
  mark();
}

/* An address with an anchor opens the folded table that it names. */
function unfold() {
  const at = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (at?.tagName !== "DETAILS") return;
  at.open = true;
  at.scrollIntoView();
}

async function start() {
  contents();
  addEventListener("hashchange", unfold);
  unfold();
  if (!window.DecompressionStream) {
    tables(null);
    for (const plot of all(".plot")) plot.textContent = document.getElementById("script").dataset.old;
    return;
  }
  const data = JSON.parse(await unpack("packed-data"));
  tables(data.tables, data.rows);
  const code = await unpack("packed-plotly");
  document.head.append(make("script", { textContent: code }));
  figures(data.figures);
  document.documentElement.dataset.ready = "true";
}

start();
