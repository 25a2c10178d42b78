// The page: a bar, the list of a language's experts, one neuron or the steering form; all of it in the address.
const byName = new Map(data.records.map((record, expert) => [nameOf(record.neuron), expert]));
const languages = Object.keys(data.experts);
const state = { view: "neurons", language: languages[0], layer: "", neuron: null };
const asides = new Map(); // answers about neurons that are not on the page

const listed = () =>
  data.experts[state.language].map((expert, index) => ({ expert, rank: index + 1 }))
    .filter(({ expert }) => state.layer === "" || data.records[expert].neuron[0] === Number(state.layer));
const shownExpert = () => (state.neuron ? byName.get(nameOf(state.neuron)) : undefined);

function addressOf() {
  if (state.view === "steer") return wishAddress();
  const parameters = new URLSearchParams({ language: state.language, ...(state.layer === "" ? {} : { layer: state.layer }) });
  return `#${nameOf(state.neuron).replace(" ", "")}&${parameters}`;
}

function titled() {
  const view = state.view === "steer" ? `Steer ${wish.by === "neuron" ? wish.neuron : wish.language}` : nameOf(state.neuron);
  document.title = visible(`${view} · ${state.view === "steer" ? "" : `${state.language} · `}${data.title}`);
}

function go(neuron, language, keepBar = false) {
  state.view = "neurons";
  if (language) state.language = language;
  state.neuron = neuron;
  const expert = shownExpert();
  if (expert !== undefined && !data.experts[state.language].includes(expert)) state.language = homesOf(expert)[0]?.[0] ?? state.language;
  if (state.layer !== "" && expert !== undefined && neuron[0] !== Number(state.layer)) state.layer = "";
  draw(keepBar);
  try { history.replaceState(null, "", addressOf()); } catch { /* in a frame without an address */ }
}

function step(by) {
  const rows = listed();
  const now = rows.findIndex(({ expert }) => expert === shownExpert());
  const next = rows[Math.min(rows.length - 1, Math.max(0, now + by))];
  if (next) go(data.records[next.expert].neuron);
}

const first = () => data.records[listed()[0].expert].neuron;

function toSteer(values) {
  wishFrom(new URLSearchParams(Object.entries({ ...wish, ...values }).map(([name, value]) => [name, String(value)])));
  state.view = "steer";
  draw();
  history.replaceState(null, "", addressOf());
}

function bar() {
  const message = make("span", { className: "warn", id: "message", attributes: { role: "status" } });
  const box = make("div", { className: "bar", attributes: { role: "search", "aria-label": "choose a neuron" } });
  if (live) {
    const views = [["neurons", "Neurons", () => go(state.neuron ?? first())], ["steer", "Steer", () => toSteer({})]];
    box.append(make("nav", { className: "views", ariaLabel: "views" }, ...views.map(([view, text, click]) =>
      make("button", { id: `view-${view}`, text, className: view === state.view ? "now" : "", attributes: view === state.view ? { "aria-current": "page" } : {}, on: { click } }))));
  }
  if (state.view === "steer") return box;
  const language = make("select", { id: "language", on: { change: (e) => { state.layer = ""; state.language = e.target.value; go(first(), state.language); } } });
  for (const code of languages) language.append(make("option", { text: code, value: code, selected: code === state.language }));
  const layers = [...new Set(data.experts[state.language].map((expert) => data.records[expert].neuron[0]))].sort((a, b) => a - b);
  const layer = make("select", { id: "layer", on: { change: (e) => { state.layer = e.target.value; go(first()); } } }, make("option", { text: "all", value: "" }));
  for (const number of layers) layer.append(make("option", { text: number, value: String(number), selected: String(number) === state.layer }));
  const rows = listed();
  const now = rows.findIndex(({ expert }) => expert === shownExpert());
  const shown = make("span", { text: now >= 0 ? `${rows[now].rank}` : "–" });
  const rank = make("input", { type: "range", id: "rank", min: 1, max: rows.length, value: now + 1, on: { input: (e) => {
    shown.textContent = String(rows[e.target.value - 1].rank);
    go(data.records[rows[e.target.value - 1].expert].neuron, undefined, true);
  } } });
  const find = make("input", { id: "find", size: 12, placeholder: "L12 N847", on: { keydown: (e) => { if (e.key === "Enter") search(e.target.value, message); } } });
  box.append(make("label", { text: "language " }, language), make("label", { text: "layer " }, layer), make("label", { text: "rank " }, rank, shown),
    make("button", { id: "previous", text: "◀", title: "previous (←)", ariaLabel: "previous", on: { click: () => step(-1) } }),
    make("button", { id: "next", text: "▶", title: "next (→)", ariaLabel: "next", on: { click: () => step(1) } }),
    make("label", { text: live ? "any neuron " : "find " }, find), message);
  return box;
}

function search(typed, message) {
  const found = parseName(typed);
  if (found && (live || byName.has(nameOf(found)))) go(found);
  else message.textContent = visible(found ? `${nameOf(found)} is not among the ${data.records.length} experts of this page; the live inspector (tl-experts inspect) has every neuron` : `cannot read ${JSON.stringify(typed)}; write L12 N847`);
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
  const rows = listed();
  const current = rows.some(({ expert }) => expert === shownExpert()) ? shownExpert() : rows[0]?.expert;
  box.append(make("div", { className: "heads", attributes: { "aria-hidden": "true" } }, ...["rank", "neuron", "AUROC"].map((text) => make("span", { text }))));
  for (const { expert, rank } of rows) {
    const { neuron, measures: found } = data.records[expert];
    const value = column < 0 ? "" : found.auroc[column].toFixed(3);
    const now = expert === shownExpert();
    box.append(make("button", { className: now ? "now" : "", tabIndex: expert === current ? 0 : -1, attributes: now ? { "aria-current": "true" } : {}, on: { click: () => go(neuron) } },
      make("span", { text: rank }), make("span", { text: nameOf(neuron) }), make("span", { text: value })));
  }
  return box;
}

function membership(record) {
  const homes = homesOf(byName.get(nameOf(record.neuron)));
  if (!homes.length) return quiet("Not among the experts of this page.");
  const line = make("div", { className: "quiet", id: "homes" }, make("span", { text: "expert of " }));
  homes.forEach(([code, rank], at) => line.append(make("button", { className: "link", text: code, title: `the experts of ${code}`, on: { click: () => go(record.neuron, code) } }), make("span", { text: ` (rank ${rank})${at + 1 < homes.length ? ", " : ""}` })));
  return line;
}

function steerLinks(record) {
  if (!live) return null;
  const high = Number(record.responses[1].toPrecision(3));
  return make("div", { className: "actions" },
    make("button", { id: "steer-neuron", text: "Steer with this neuron", title: "continue a prompt with it at its largest response", on: { click: () => toSteer({ by: "neuron", neuron: nameOf(record.neuron).replace(" ", ""), at: high, operation: "set", strength: 1 }) } }),
    make("button", { id: "steer-language", text: `Steer with the experts of ${state.language}`, on: { click: () => toSteer({ by: "experts", language: state.language, k: 0 }) } }));
}

function detail(record) {
  const follow = (neuron) => go(neuron);
  return make("article", {},
    make("h2", { id: "name", text: nameOf(record.neuron) }), membership(record), actions(record), steerLinks(record),
    make("h3", { text: "How it tells each language from the others" }), measures(record),
    make("h3", { text: "Responses" }), sized((width) => strip(record, width)),
    make("div", { id: "tokens" }, ...(record.distribution ? sentences(record, state.language) : [make("h3", { text: "Activations at tokens" }), make("div", { id: "computing", className: "quiet", text: "computing…", attributes: { role: "status" } })])),
    make("h3", { text: "Its weights and its neighbours" }), weights(record, follow),
    ...(live ? [make("div", { id: "asked" }, ...scorings(record), ...effects(record))] : []));
}

// What was asked of the neuron meanwhile stays, and so do the languages that were opened.
function redraw(article) {
  const old = app.querySelector("article");
  const asked = old.querySelector("#asked");
  const opened = openLanguages();
  old.replaceWith(article);
  if (asked) app.querySelector("#asked").replaceWith(asked);
  openAgain(opened);
}

function redrawTokens(record) {
  const opened = openLanguages();
  app.querySelector("#tokens").replaceChildren(...sentences(record, state.language));
  openAgain(opened);
}

const languageBoxes = () => [...app.querySelectorAll("#sentences details")].map((box) => [box.dataset.language, box]);
const openLanguages = () => new Map(languageBoxes().map(([code, box]) => [code, box.open]));
const openAgain = (opened) => languageBoxes().forEach(([code, box]) => { box.open = opened.get(code) ?? box.open; });

// A neuron that is not on the page: its parts are shown as they come. Asked for again, it waits for the same answer.
function aside(neuron) {
  const name = nameOf(neuron);
  const known = asides.get(name);
  if (known) return detail(known);
  const box = make("article", {}, make("h2", { id: "name", text: name }), quiet(settings ? "asking…" : "waiting for the model…"));
  const current = () => state.view === "neurons" && state.neuron && nameOf(state.neuron) === name;
  const take = (line) => {
    const before = asides.get(name);
    if (line.of) {
      const said = app.querySelector("#computing");
      if (said && current()) said.textContent = `computing: ${line.done.toLocaleString("en")} of ${line.of.toLocaleString("en")} sentences read`;
      return;
    }
    const record = { ...before, ...line, ...(line.distribution ? { ends: before?.ends ?? {} } : {}) };
    asides.set(name, record);
    if (!current()) return;
    // While more sentences are read, nothing else changes.
    if (line.distribution && before?.distribution && partial(record)) redrawTokens(record);
    else redraw(detail(record));
    drawFigures();
  };
  eachLine(`/api/neuron?name=${encodeURIComponent(name)}`, null, take).catch((error) => {
    asides.delete(name);
    if (current()) app.querySelector("article").replaceChildren(make("h2", { id: "name", text: name }), make("p", { className: "warn", text: reason(error), attributes: { role: "alert" } }));
  });
  return box;
}

// The bar stays when its own slider moves: a new one would end the drag.
function draw(keepBar = false) {
  const scrolled = app.querySelector(".list")?.scrollTop ?? 0;
  const focused = document.activeElement?.closest(".list") ? ".list .now" : document.activeElement?.id ? `#${document.activeElement.id}` : "";
  titled();
  const expert = shownExpert();
  const body = state.view === "steer" ? make("main", { className: "alone" }, steerView(titled))
    : make("main", {}, list(), expert === undefined ? aside(state.neuron) : detail(data.records[expert]));
  if (keepBar) app.querySelector("main").replaceWith(body);
  else {
    app.querySelector(".bar").replaceWith(bar());
    app.querySelector("main").replaceWith(body);
  }
  drawFigures();
  const box = app.querySelector(".list");
  if (!box) return;
  box.scrollTop = scrolled;
  app.querySelector(".list .now")?.scrollIntoView({ block: "nearest" });
  if (focused && !keepBar) app.querySelector(focused)?.focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
  if (state.view !== "neurons") return;
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});

// #L12N847&language=es&layer=3, #steer&prompt=..., and in short #es or #es/3 (rank 3).
function fromAddress() {
  const [head, ...rest] = location.hash.slice(1).split("&");
  const parameters = new URLSearchParams(rest.join("&"));
  if (live && head === "steer") {
    wishFrom(parameters);
    state.view = "steer";
    draw();
    if (parameters.has("run")) app.querySelector("#steer").requestSubmit();
    return;
  }
  const asked = decodeURIComponent(head);
  const neuron = parseName(asked);
  const [code, rank] = asked.split("/");
  const language = parameters.get("language");
  if (Object.hasOwn(data.experts, language ?? "")) state.language = language;
  state.layer = data.experts[state.language].some((expert) => String(data.records[expert].neuron[0]) === parameters.get("layer")) ? parameters.get("layer") : "";
  if (neuron && (live || byName.has(nameOf(neuron)))) go(neuron);
  else if (Object.hasOwn(data.experts, code)) {
    state.layer = "";
    go(data.records[data.experts[code][Math.min(data.experts[code].length, Number(rank) || 1) - 1]].neuron, code);
  } else go(first());
}

if (live) wishFrom(new URLSearchParams());
app.append(make("header", {}, make("h1", { text: `Language experts of ${data.title}` }),
  quiet(`${data.records.length} neurons of ${data.site}, ${data.selection}; ${data.pooling} pooling; ${data.sentences.length} sentences of ${data.corpus}`),
  ...((live ? live.report : data.report) ? [make("a", { id: "report", href: "report.html", text: "Report" })] : []),
  ...(live ? [loadingLine()] : [])), make("div", { className: "bar" }), make("main"));
addEventListener("hashchange", fromAddress);
fromAddress();
