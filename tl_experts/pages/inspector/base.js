// What every other part uses: the data, elements, the numbers that are packed. All text from the data reaches the page
// through textContent: it is never parsed as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const live = data.live ?? null;
const app = document.getElementById("app");

// Control characters and those that turn the direction of writing are shown by their code, not obeyed.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const visible = (text) =>
  text.replace(HIDDEN, (c) => (c === "\n" ? "⏎" : c === "\t" ? "⇥" : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`));

function make(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  const { text, on, attributes, ...rest } = options;
  if (text !== undefined) node.textContent = visible(String(text));
  for (const [event, handler] of Object.entries(on ?? {})) node.addEventListener(event, handler);
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
  for (const [name, value] of Object.entries(rest)) node[name] = value;
  node.append(...children.filter((child) => child !== null));
  return node;
}

function drawn(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.map((child) => (typeof child === "string" ? visible(child) : child)));
  return node;
}

const quiet = (text) => make("div", { className: "quiet", text });
const tokenText = (token) => (typeof token === "number" ? data.strings[token] : token);
const nameOf = ([layer, neuron]) => `L${layer} N${neuron}`;
const sentenceText = (sentence) => data.sentences[sentence][1].map((piece) => data.strings[piece]).join("");
const signed = (value, digits) => (value > 0 ? "+" : "") + value.toFixed(digits);

function parseName(typed) {
  const found = /^\s*L?\s*(\d+)(?:\s*[ .,:/]\s*N?|\s*N)\s*(\d+)\s*$/i.exec(typed);
  return found && [Number(found[1]), Number(found[2])];
}

const unpacked = new WeakMap();
function numbers(packed, wide) {
  if (unpacked.has(packed)) return unpacked.get(packed);
  const [low, high, text] = packed;
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const out = new Float32Array(wide ? bytes.length / 2 : bytes.length);
  for (let i = 0; i < out.length; i++) {
    const whole = wide ? bytes[2 * i] + 256 * bytes[2 * i + 1] : bytes[i];
    out[i] = low + ((high - low) * whole) / (wide ? 65535 : 255);
  }
  unpacked.set(packed, out);
  return out;
}

function swatch(language) {
  const dot = make("span", { className: "swatch" });
  dot.style.background = data.colours[language] ?? "#888";
  return dot;
}

// A table that may be wider than a phone scrolls by itself, also by the keyboard.
const scrolling = (label, node) =>
  make("div", { className: "wide", tabIndex: 0, attributes: { role: "region", "aria-label": label } }, node);

function table(id, heads, rows) {
  const head = make("tr", {}, ...heads.map(([text, title]) => make("th", { text, title: title ?? "", attributes: { scope: "col" } })));
  return make("table", { id }, make("thead", {}, head), make("tbody", {}, ...rows));
}

function save(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
