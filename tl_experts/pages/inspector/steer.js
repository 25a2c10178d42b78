// Steer: a prompt continued before and after an intervention, token by token. Live only.
const OPERATIONS = {
  set: "strength x value + (1 - strength) x activation",
  add: "activation + strength x value",
  scale: "strength x activation",
  damp: "the activation, damped by its AUROC (AurA)",
  raise: "at least the value",
  toward: "activation + strength x (value - activation)",
  zero: "(1 - strength) x activation",
};
const WISH = { prompt: "To open a file,", by: "experts", language: "", k: 0, neuron: "L0N0", at: 1, value: "mean", operation: "set", strength: 1, first: 0, tokens: 40, temperature: 0.7, seed: 0, texts: 1 };
const wish = { ...WISH };

function wishFrom(parameters) {
  Object.assign(wish, WISH);
  for (const [name, given] of Object.entries(WISH)) {
    if (!parameters.has(name)) continue;
    const text = parameters.get(name);
    wish[name] = typeof given === "number" && Number.isFinite(Number(text)) && text !== "" ? Number(text) : typeof given === "number" ? given : text;
  }
  if (!Object.hasOwn(data.experts, wish.language)) wish.language = Object.keys(data.experts)[Math.min(1, Object.keys(data.experts).length - 1)];
  wish.k = Math.min(live.counts[wish.language] ?? 1, wish.k || 100);
  if (!["tuned", "experts", "neuron"].includes(wish.by)) wish.by = "experts";
  if (!Object.hasOwn(OPERATIONS, wish.operation)) wish.operation = "set";
  if (!["mean", "median", "p90"].includes(wish.value)) wish.value = "mean";
}

function wishAddress(values = wish) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== WISH[name]) parameters.set(name, String(value));
  const text = parameters.toString();
  return `#steer${text ? `&${text}` : ""}`;
}

function asked() {
  return { ...wish, value: wish.by === "neuron" ? wish.at : wish.value };
}

function steerView(titled) {
  const results = make("div", { id: "comparison" });
  const form = make("form", { className: "steer", id: "steer", on: { submit: (event) => { event.preventDefault(); run(); } } });
  let running = null;

  const changed = () => { titled(); history.replaceState(null, "", wishAddress()); };
  const field = (label, name, options) => make("label", { text: `${label} ` }, make("input", { id: name, value: wish[name], ...options,
    on: { input: (event) => { wish[name] = options.type === "number" ? event.target.valueAsNumber : event.target.value; changed(); } } }));
  const choice = (label, name, values, titles = {}) => make("label", { text: `${label} ` }, make("select", { id: name, on: { change: (event) => { wish[name] = event.target.value; changed(); form.replaceChildren(...fields()); form.querySelector(`#${name}`)?.focus(); } } },
    ...values.map((value) => make("option", { text: titles[value] ?? value, value, selected: value === wish[name] }))));

  function fields() {
    const tuned = settings?.tuned ?? {};
    const languages = Object.keys(data.experts);
    if (wish.by === "tuned" && settings && !Object.hasOwn(tuned, wish.language)) wish.language = Object.keys(tuned)[0] ?? wish.language;
    const prompt = make("textarea", { id: "prompt", rows: 2, value: wish.prompt, on: {
      input: (event) => { wish.prompt = event.target.value; changed(); },
      keydown: (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); run(); } },
    } });
    const ways = { experts: "experts of a language", neuron: "one neuron", ...(Object.keys(tuned).length || wish.by === "tuned" ? { tuned: "the tuned setting" } : {}) };
    const parts = [
      make("label", { className: "prompt", text: "Prompt (Enter continues it, Shift+Enter begins a new line)" }, prompt),
      make("div", { className: "row" }, choice("steer with", "by", Object.keys(ways), ways), ...how(tuned, languages)),
      make("div", { className: "row" },
        field("tokens", "tokens", { type: "number", min: 1, step: 1 }), field("temperature", "temperature", { type: "number", min: 0, step: "any", title: "0: the likeliest token at every step" }),
        field("seed", "seed", { type: "number", min: 0, step: 1 }), field("texts", "texts", { type: "number", min: 1, max: 5, step: 1, title: "one for each of so many seeds, from the seed on" })),
    ];
    const send = make("button", { id: "send", text: "Continue before and after", title: "without and with the intervention" });
    const stop = make("button", { id: "stop", type: "button", text: "Stop", hidden: true, on: { click: () => running?.abort() } });
    return [...parts, make("div", { className: "actions" }, send, stop)];
  }

  function how(tuned, languages) {
    if (wish.by === "tuned") {
      return [choice("language", "language", Object.keys(tuned).length ? Object.keys(tuned) : [wish.language]),
        make("span", { className: "quiet", text: tuned[wish.language] ?? "waiting for the model" })];
    }
    const operation = choice("operation", "operation", Object.keys(OPERATIONS));
    const strength = field("strength", "strength", { type: "number", step: "any" });
    const first = field("first tokens", "first", { type: "number", min: 0, step: 1, title: "the intervention ends when so many tokens are written; 0: it acts on the whole text" });
    const formula = make("span", { className: "quiet", text: OPERATIONS[wish.operation] });
    if (wish.by === "neuron") {
      return [field("neuron", "neuron", { size: 9 }), operation, field("value", "at", { type: "number", step: "any" }), strength, first, formula];
    }
    const paper = make("button", { type: "button", className: "link", id: "paper", text: "the paper's setting", title: "set to the mean at strength 1, in the whole text", on: { click: () => { Object.assign(wish, { operation: "set", value: "mean", strength: 1, first: 0 }); changed(); form.replaceChildren(...fields()); } } });
    return [choice("language", "language", languages), field("experts", "k", { type: "number", min: 1, max: live.counts[wish.language], step: 1 }), operation,
      choice("value", "value", ["mean", "median", "p90"]), strength, first, formula, paper];
  }

  function run() {
    running?.abort();
    const mine = (running = new AbortController());
    const want = asked();
    const state = { before: [], after: [], status: settings ? "reading the prompt…" : "waiting for the model…" };
    const button = (id) => form.querySelector(`#${id}`);
    button("stop").hidden = false;
    const finish = () => { if (running === mine) { running = null; if (button("stop")) button("stop").hidden = true; } };
    const draw = () => { if (running === mine) results.replaceChildren(...comparison(want, state)); };
    draw();
    history.replaceState(null, "", `${wishAddress()}&run=1`);
    eachLine("/api/steer", want, (line) => {
      if (line.side) { state[line.side] = line.texts; state.status = line.side === "before" ? "before…" : "after…"; }
      else if (line.status) state.status = `${line.status}…`;
      else { state.end = line; state.status = "done"; }
      draw();
    }, mine.signal).then(finish, (error) => {
      if (running === mine) {
        state.status = error.name === "AbortError" ? "stopped" : "";
        results.replaceChildren(...(error.name === "AbortError" ? comparison(want, state) : [make("p", { className: "warn", text: reason(error), attributes: { role: "alert" } })]));
      }
      finish();
    });
  }

  form.append(...fields());
  loaded?.then(() => { if (form.isConnected && !form.contains(document.activeElement)) form.replaceChildren(...fields()); }, () => {});
  return make("div", { className: "article" }, make("h2", { id: "name", text: "A prompt before and after" }), form, results);
}

function comparison(want, state) {
  const likeliest = (side, index) => {
    const row = state.end?.probabilities?.[side]?.[index];
    if (!row || !row.some(Boolean)) return "";
    const best = row.indexOf(Math.max(...row));
    return `${state.end.languages[best]} ${(row[best] * 100).toFixed(0)}%`;
  };
  const texts = Array.from({ length: Math.max(1, state.before.length, state.after.length) }, (_, index) =>
    make("div", { className: "sides" }, ...["before", "after"].map((side) => make("div", { className: side },
      make("h3", { text: `${side}${want.texts > 1 ? `, seed ${want.seed + index}` : ""}` }, make("span", { className: "score", text: ` ${likeliest(side, index)}` })),
      make("p", { dir: "auto" }, make("span", { className: "given", text: want.prompt }), make("span", { className: "written", text: state[side][index] ?? "" }))))));
  const found = [make("div", { className: "quiet", id: "status", text: state.status, attributes: { role: "status" } }), ...texts];
  if (state.end) {
    const { languages, probabilities, logits, note } = state.end;
    if (probabilities) {
      const mean = (side, at) => probabilities[side].reduce((sum, row) => sum + row[at], 0) / probabilities[side].length;
      found.push(make("h3", { text: "Language of the continuations" }), quiet("Mean probability by langid.py."), scrolling("language of the continuations", table("languages", [["language"], ["before"], ["after"], ["as a bar"]],
        languages.map((code, at) => make("tr", {}, make("td", {}, swatch(data.languages.indexOf(code)), make("span", { text: code })), make("td", { text: mean("before", at).toFixed(2) }), make("td", { text: mean("after", at).toFixed(2) }),
          make("td", {}, changeBar(mean("after", at) - mean("before", at), 1, signed(mean("after", at) - mean("before", at), 2))))))));
    }
    if (note) found.push(quiet(note));
    const half = logits.length / 2;
    found.push(make("h3", { text: "Next token after the prompt" }), quiet("Change of its logit by the intervention."),
      make("div", { className: "cols", id: "logits" }, tokenBars("gains most", logits.slice(0, half)), tokenBars("loses most", logits.slice(half).reverse())));
  }
  return found;
}
