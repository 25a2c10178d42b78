"use strict";
// All text from the data reaches the page through textContent: it is never parsed as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const app = document.getElementById("app");
  const byName = new Map(data.neurons.map(([layer, neuron], expert) => [`L${layer} N${neuron}`, expert]));
  const state = { language: Object.keys(data.experts)[0], layer: "", neuron: -1 };

  // Control characters and those that turn the direction of writing are shown by their code, not obeyed.
  const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
  const visible = (text) =>
    text.replace(HIDDEN, (c) => (c === "\n" ? "⏎" : c === "\t" ? "⇥" : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`));

  function make(tag, options = {}, ...children) {
    const node = document.createElement(tag);
    const { text, on, ...rest } = options;
    if (text !== undefined) node.textContent = visible(String(text));
    if (on) for (const [event, handler] of Object.entries(on)) node.addEventListener(event, handler);
    for (const [name, value] of Object.entries(rest)) node[name] = value;
    node.append(...children);
    return node;
  }

  const unpacked = new Map();
  function numbers([low, high, packed], kind) {
    const key = packed.length + packed.slice(0, 64) + low + high;
    if (unpacked.has(key) && unpacked.get(key)[0] === packed) return unpacked.get(key)[1];
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const wide = kind === 16;
    const count = wide ? bytes.length / 2 : bytes.length;
    const out = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      const whole = wide ? bytes[2 * i] + 256 * bytes[2 * i + 1] : bytes[i];
      out[i] = low + ((high - low) * whole) / (wide ? 65535 : 255);
    }
    if (unpacked.size > 50) unpacked.clear();
    unpacked.set(key, [packed, out]);
    return out;
  }

  const name = (expert) => `L${data.neurons[expert][0]} N${data.neurons[expert][1]}`;
  const text = (sentence) => data.sentences[sentence][1].map((piece) => data.strings[piece]).join("");
  const listed = () =>
    data.experts[state.language].map((expert, index) => ({ expert, rank: index + 1 }))
      .filter(({ expert }) => state.layer === "" || data.neurons[expert][0] === Number(state.layer));

  function swatch(language) {
    const dot = make("span", { className: "swatch" });
    dot.style.background = data.colours[language];
    return dot;
  }

  function go(expert, language, keepBar = false) {
    if (language) state.language = language;
    if (!data.experts[state.language].includes(expert)) {
      const home = Object.keys(data.experts).find((code) => data.experts[code].includes(expert));
      if (home) state.language = home;
    }
    if (state.layer !== "" && data.neurons[expert][0] !== Number(state.layer)) state.layer = "";
    state.neuron = expert;
    draw(keepBar);
    try { history.replaceState(null, "", `#${name(expert).replace(" ", "")}`); } catch { /* in a frame without an address */ }
  }

  function step(by) {
    const rows = listed();
    const now = rows.findIndex(({ expert }) => expert === state.neuron);
    const next = rows[Math.min(rows.length - 1, Math.max(0, now + by))];
    if (next) go(next.expert);
  }

  function bar() {
    const language = make("select", { id: "language", on: { change: (e) => { state.language = e.target.value; state.layer = ""; go(listed()[0].expert, state.language); } } });
    for (const code of Object.keys(data.experts)) language.append(make("option", { text: code, value: code, selected: code === state.language }));
    const layers = [...new Set(data.experts[state.language].map((expert) => data.neurons[expert][0]))].sort((a, b) => a - b);
    const layer = make("select", { id: "layer", on: { change: (e) => { state.layer = e.target.value; go(listed()[0].expert); } } }, make("option", { text: "all", value: "" }));
    for (const number of layers) layer.append(make("option", { text: number, value: String(number), selected: String(number) === state.layer }));
    const rows = listed();
    const now = rows.findIndex(({ expert }) => expert === state.neuron);
    const rank = make("input", { type: "range", id: "rank", min: 1, max: rows.length, value: now + 1, on: { input: (e) => {
      shown.textContent = String(rows[e.target.value - 1].rank);
      go(rows[e.target.value - 1].expert, undefined, true);
    } } });
    const shown = make("span", { text: now >= 0 ? `${rows[now].rank}` : "–" });
    const message = make("span", { className: "warn", id: "message" });
    const find = make("input", { id: "find", size: 12, placeholder: "L12 N847", on: { keydown: (e) => { if (e.key === "Enter") search(e.target.value, message); } } });
    return make("div", { className: "bar" },
      make("label", { text: "language " }, language), make("label", { text: "layer " }, layer),
      make("label", { text: "rank " }, rank, shown),
      make("button", { id: "previous", text: "◀", title: "previous (←)", ariaLabel: "previous", on: { click: () => step(-1) } }),
      make("button", { id: "next", text: "▶", title: "next (→)", ariaLabel: "next", on: { click: () => step(1) } }),
      make("label", { text: "find " }, find), message);
  }

  function search(typed, message) {
    const found = /^\s*L?\s*(\d+)(?:\s*[ .,:/]\s*N?|\s*N)\s*(\d+)\s*$/i.exec(typed);
    const expert = found && byName.get(`L${Number(found[1])} N${Number(found[2])}`);
    if (expert !== undefined && expert !== null) go(expert);
    else message.textContent = visible(found ? `L${found[1]} N${found[2]} is not among the ${data.neurons.length} experts of this page; the live inspector (tl-experts inspect) has every neuron` : `cannot read ${JSON.stringify(typed)}; write L12 N847`);
  }

  function list() {
    // One stop for the tab key; the arrows move inside.
    const box = make("nav", { className: "list", ariaLabel: "experts", on: { keydown: (e) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[e.key];
      if (!by) return;
      e.preventDefault();
      step(by);
    } } });
    const column = data.languages.indexOf(state.language);
    for (const { expert, rank } of listed()) {
      const value = column < 0 ? "" : data.auroc[expert][column].toFixed(3);
      box.append(make("button", { className: expert === state.neuron ? "now" : "", tabIndex: expert === state.neuron ? 0 : -1, on: { click: () => go(expert) } },
        make("span", { text: rank }), make("span", { text: name(expert) }), make("span", { text: value })));
    }
    return box;
  }

  function scores(expert) {
    const order = data.languages.map((_, i) => i).sort((a, b) => data.auroc[expert][b] - data.auroc[expert][a]);
    const rows = order.map((i) => make("tr", {}, make("td", {}, swatch(i), make("span", { text: data.languages[i] })),
      ...[data.auroc, data.ap, data.mean].map((table) => make("td", { text: table[expert][i].toFixed(table === data.mean ? 2 : 4) }))));
    return make("table", { id: "scores" }, make("tr", {}, ...["language", "AUROC", "AP", "mean response"].map((head) => make("th", { text: head }))), ...rows);
  }

  function responses(expert) {
    const values = numbers(data.responses[expert], 16);
    const [low, high] = data.responses[expert];
    const rowHeight = 26, left = 46, width = 860, height = rowHeight * data.languages.length + 24;
    const canvas = make("canvas", { width, height });
    const pen = canvas.getContext("2d");
    const x = (value) => left + ((value - low) / (high - low || 1)) * (width - left - 12);
    const points = [];
    const rows = data.languages.map(() => []);
    for (let i = 0; i < values.length; i++) {
      const language = data.sentences[i][0];
      // A position in its row that looks random and is always the same.
      const y = rowHeight * (language + 0.5) + (((i * 7919) % 97) / 97 - 0.5) * rowHeight * 0.7;
      points.push([x(values[i]), y, i]);
      rows[language].push(values[i]);
      pen.fillStyle = data.colours[language] + "88";
      pen.fillRect(points[i][0] - 1.5, y - 1.5, 3, 3);
    }
    pen.font = "13px system-ui, sans-serif";
    pen.fillStyle = "#1a1a1a";
    rows.forEach((row, language) => {
      pen.fillText(visible(data.languages[language]), 6, rowHeight * (language + 0.5) + 4);
      if (!row.length) return;
      row.sort((a, b) => a - b);
      pen.fillRect(x(row[row.length >> 1]) - 1, rowHeight * language + 2, 2, rowHeight - 4);
    });
    pen.fillText(low.toPrecision(3), left, height - 6);
    pen.fillText(high.toPrecision(3), width - 60, height - 6);
    const caption = make("div", { className: "quiet", text: "One point per sentence; the line is the median. Point at one to read it." });
    canvas.addEventListener("mousemove", (event) => {
      const box = canvas.getBoundingClientRect();
      const at = [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * height) / box.height];
      let best = null, least = 120;
      for (const point of points) {
        const far = (point[0] - at[0]) ** 2 + (point[1] - at[1]) ** 2;
        if (far < least) { least = far; best = point[2]; }
      }
      if (best !== null) caption.textContent = visible(`${data.languages[data.sentences[best][0]]}, response ${values[best].toFixed(3)}: ${text(best)}`);
    });
    return make("div", {}, canvas, caption);
  }

  function sentence(index, values, start, low, high, response) {
    const line = make("div", { className: "sentence", dir: "auto" });
    data.sentences[index][1].forEach((piece, offset) => {
      const value = values[start + offset];
      // Nothing below zero is shaded: the neuron is silent there.
      const floor = Math.max(0, low);
      const share = high > floor ? Math.max(0, (value - floor) / (high - floor)) : 0;
      const span = make("span", { text: data.strings[piece], title: value.toFixed(3) });
      // Light enough for black text to keep WCAG's contrast of 4.5 to 1.
      span.style.background = `rgba(0, 114, 178, ${(share * 0.8).toFixed(3)})`;
      line.append(span);
    });
    line.append(make("span", { className: "score", text: ` ${response.toFixed(2)}` }));
    return line;
  }

  function sentences(expert) {
    const shown = data.shown[expert];
    const values = numbers(shown.pieces, 8);
    const [low, high] = shown.pieces;
    const pooled = numbers(data.responses[expert], 16);
    let start = 0;
    const boxes = data.languages.map((code, language) => {
      const part = (which) => shown[which][language].map((index) => {
        const line = sentence(index, values, start, low, high, pooled[index]);
        start += data.sentences[index][1].length;
        return line;
      });
      const top = part("top"), bottom = part("bottom");
      const box = make("details", { open: code === state.language || data.languages.length <= 2 }, make("summary", {}, swatch(language), make("span", { text: code })),
        make("div", { className: "quiet", text: "largest responses" }), ...top);
      if (bottom.length) box.append(make("div", { className: "quiet", text: "smallest responses" }), ...bottom);
      return [code === state.language ? 0 : 1, box];
    });
    return make("div", { id: "sentences" }, ...boxes.sort((a, b) => a[0] - b[0]).map(([, box]) => box));
  }

  function tokens(title, rows) {
    return make("div", {}, make("b", { text: title }), make("ol", {}, ...rows.map(([piece, value]) =>
      make("li", {}, make("bdi", { text: JSON.stringify(data.strings[piece]) }), make("span", { className: "score", text: ` ${value.toFixed(2)}` })))));
  }

  function link(expert, value) {
    return make("li", {}, make("button", { className: "link", text: name(expert), on: { click: () => go(expert) } }), make("span", { className: "score", text: ` ${value.toFixed(2)}` }));
  }

  function detail(expert) {
    const said = data.weights[expert];
    const homes = Object.keys(data.experts).filter((code) => data.experts[code].includes(expert))
      .map((code) => `${code} (rank ${data.experts[code].indexOf(expert) + 1})`);
    const readers = said.readers.map(([layer, neuron, cosine]) => {
      const known = byName.get(`L${layer} N${neuron}`);
      return known === undefined ? make("li", { text: `L${layer} N${neuron}` }, make("span", { className: "score", text: ` ${cosine.toFixed(2)}` })) : link(known, cosine);
    });
    const lists = make("div", { className: "cols" });
    if (said.promoted.length) {
      lists.append(tokens("promotes", said.promoted), tokens("suppresses", said.suppressed), tokens("is excited by", said.read));
      if (readers.length) lists.append(make("div", {}, make("b", { text: "is read by (cosine)" }), make("ol", {}, ...readers)));
    } else lists.append(make("div", { className: "quiet", text: "Neurons of this site have no weights of their own." }));
    lists.append(make("div", {}, make("b", { text: "responds like (Pearson's r)" }), make("ol", {}, ...data.neighbours[expert].map(([other, r]) => link(other, r)))));
    return make("article", {},
      make("h2", { id: "name", text: name(expert) }), make("div", { className: "quiet", text: `expert of ${homes.join(", ")}` }),
      make("h3", { text: "How well it identifies each language" }), scores(expert),
      make("h3", { text: "Responses" }), responses(expert),
      make("h3", { text: "What drives it" }), make("div", { className: "quiet", text: "Each token is shaded by its activation, a character of several tokens by the largest of theirs. The number is the sentence's response." }), sentences(expert),
      make("h3", { text: "What its weights say" }), lists);
  }

  // The bar stays when its own slider moves: a new one would end the drag.
  function draw(keepBar = false) {
    const scrolled = app.querySelector(".list")?.scrollTop ?? 0;
    const focused = document.activeElement?.closest(".list") ? ".list .now" : document.activeElement?.id ? `#${document.activeElement.id}` : "";
    const body = make("main", {}, list(), detail(state.neuron));
    if (keepBar) app.querySelector("main").replaceWith(body);
    else page(body);
    const box = app.querySelector(".list");
    box.scrollTop = scrolled;
    app.querySelector(".list .now")?.scrollIntoView({ block: "nearest" });
    if (focused && !keepBar) app.querySelector(focused)?.focus({ preventScroll: true });
  }

  function page(body) {
    const header = make("header", {}, make("h1", { text: `Language experts of ${data.title}` }),
      make("div", { className: "quiet", text: `${data.neurons.length} neurons of ${data.site}, ${data.selection}; ${data.pooling} pooling; ${data.sentences.length} sentences of ${data.corpus}` }));
    app.replaceChildren(header, bar(), body);
  }

  document.addEventListener("keydown", (event) => {
    if (["INPUT", "SELECT"].includes(event.target.tagName)) return;
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });

  // #es, #es/3 (rank 3) or #L12N847.
  function fromAddress() {
    const asked = decodeURIComponent(location.hash.slice(1));
    const neuron = /^L(\d+)N(\d+)$/.exec(asked);
    const [code, rank] = asked.split("/");
    if (neuron && byName.has(`L${neuron[1]} N${neuron[2]}`)) go(byName.get(`L${neuron[1]} N${neuron[2]}`));
    else if (Object.hasOwn(data.experts, code)) go(data.experts[code][Math.min(data.experts[code].length, Number(rank) || 1) - 1], code);
    else go(data.experts[state.language][0]);
  }
  window.addEventListener("hashchange", fromAddress);
  fromAddress();
})();
