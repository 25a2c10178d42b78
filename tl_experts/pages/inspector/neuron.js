// One neuron's page. A record is that of an expert of this page, or an answer of the live server about any neuron.
const MEASURES = [
  ["auroc", "AUROC", "how often a sentence of the language has a larger response than one of another", 4],
  ["ap", "AP", "average precision of the responses", 4],
  ["d", "Cohen's d", "difference between the mean responses to the language and to all others, in standard deviations", 2],
  ["mean", "mean response", "to sentences of the language", 2],
  ["token_d", "d of tokens", "Cohen's d of the activations at tokens", 2],
  ["token_mean", "mean of tokens", "mean activation at tokens", 3],
  ["token_share", "active tokens", "share of the language's tokens with an activation above zero", 3],
];
const INTERVALS = ["lowest half of the tokens", "50% to 90%", "90% to 99%", "99% to 99.9%", "highest 0.1% of the tokens"];

// The languages whose sets hold a neuron, with its rank there.
function homesOf(expert) {
  if (expert === undefined) return [];
  return Object.entries(data.experts).filter(([, members]) => members.includes(expert)).map(([code, members]) => [code, members.indexOf(expert) + 1]);
}

function measures(record) {
  const order = data.languages.map((_, i) => i).sort((a, b) => record.measures.auroc[b] - record.measures.auroc[a]);
  const columns = MEASURES.filter(([name]) => record.measures[name]);
  const rows = order.map((i) => make("tr", {}, make("td", {}, swatch(i), make("span", { text: data.languages[i] })),
    ...columns.map(([name, , , digits]) => make("td", { text: Math.abs(record.measures[name][i]) > 1e6 ? "∞" : record.measures[name][i].toFixed(digits) }))));
  return scrolling("scores by language", table("scores", [["language"], ...columns.map(([, head, title]) => [head, title])], rows));
}

function shadeScale(low, high) {
  // Nothing below zero is shaded: the neuron is silent there.
  const floor = Math.max(0, low);
  // Light enough for black text to keep WCAG's contrast of 4.5 to 1.
  const share = (value) => (high > floor ? Math.min(1, Math.max(0, (value - floor) / (high - floor))) : 0);
  return (value) => `rgba(0, 114, 178, ${(share(value) * 0.8).toFixed(3)})`;
}

function sentenceLine(record, index, values, start, shade, marked, response) {
  const line = make("div", { className: "sentence", dir: "auto" });
  data.sentences[index][1].forEach((piece, offset) => {
    const value = values?.[start + offset];
    const text = data.strings[piece];
    const span = make("span", { text, title: JSON.stringify(text) });
    if (value !== undefined) {
      span.title += `: ${value.toFixed(3)} in layer ${record.neuron[0]}`;
      span.style.background = shade(value);
    }
    if (offset === marked) span.className = "marked";
    line.append(span);
  });
  if (live) line.addEventListener("pointerenter", () => expect(index, line), { once: true });
  if (response !== undefined) line.append(make("span", { className: "score", text: ` ${response.toFixed(2)}` }));
  return line;
}

// What the model expects after each token of a sentence, asked for when the sentence is pointed at.
async function expect(index, line) {
  const found = await answerOf(`/api/expected?sentence=${index}`).catch(() => null);
  if (found === null) return; // still loading, or stopped: the values stay
  const spans = line.querySelectorAll("span[title]");
  found.expected.forEach((tokens, piece) => {
    const next = tokens.map(([text, share]) => `${JSON.stringify(text)} ${(share * 100).toFixed(0)}%`).join(", ");
    if (spans[piece]) spans[piece].title = visible(`${spans[piece].title}; next: ${next}`);
  });
}

function legend(low, high) {
  const floor = Math.max(0, low);
  return make("div", { className: "quiet legend" }, make("span", { text: floor.toPrecision(2) }), make("span", { className: "ramp", attributes: { "aria-hidden": "true" } }),
    make("span", { text: Math.max(high, floor).toPrecision(3) }), make("span", { text: `activation; below zero is not shaded. Point at a token to read its value${live ? " and what the model expects next" : ""}.` }));
}

function sentences(record, language) {
  const { shown } = record;
  const values = numbers(shown.pieces, false);
  const [low, most] = shown.pieces;
  const high = Math.max(most, record.ends ? Math.max(record.distribution.high, record.responses[1]) : most);
  const shade = shadeScale(low, high);
  const pooled = numbers(record.responses, true);
  let start = 0;
  const next = (index, marked, response) => {
    const line = sentenceLine(record, index, values, start, shade, marked, response);
    start += data.sentences[index][1].length;
    return line;
  };
  const boxes = data.languages.map((code, at) => {
    const box = make("details", { open: code === language || data.languages.length <= 2 });
    box.dataset.language = code;
    const put = (line) => {
      const [top, bottom] = ["top", "bottom"].map((which) => shown[which][at].map((index) => line(index, -1, pooled[index])));
      box.replaceChildren(make("summary", {}, swatch(at), make("span", { text: code })), quiet("largest responses"), ...top);
      if (bottom.length) box.append(quiet("smallest responses"), ...bottom);
    };
    if (record.ends) shadeLater(record, code, box, put, shade);
    else put(next);
    return [code === language ? 0 : 1, box];
  });
  const intervals = shown.intervals.map((tokens, level) => {
    const lines = tokens.map(([index, piece]) => {
      const line = next(index, piece, undefined);
      line.prepend(make("span", { className: "code", text: `${data.languages[data.sentences[index][0]]} ` }));
      return line;
    });
    return make("div", { className: "interval" }, make("h4", { text: INTERVALS[level] }), ...(lines.length ? lines : [quiet("no token")]));
  });
  return [
    make("h3", { text: "Activations at tokens" }),
    ...(partial(record) ? [soFar(record)] : []),
    quiet(`${record.distribution.tokens.toLocaleString("en")} tokens of ${record.distribution.sentences.toLocaleString("en")} sentences; coloured: those of ${record.distribution.language}. Counts are on a logarithmic scale. Dashed: the quantiles that bound the examples below.`),
    sized((width) => { const figure = histogram(record, width); figure.id = "histogram"; return figure; }),
    make("h3", { text: "Examples from every interval" }),
    quiet("The outlined token lies in the interval."),
    legend(low, high),
    make("div", { id: "intervals" }, ...intervals.reverse()),
    make("h3", { text: "Sentences at both ends" }),
    quiet("Shaded alike; a character of several tokens by the largest of theirs. The number is the sentence's response."),
    make("div", { id: "sentences" }, ...boxes.sort((a, b) => a[0] - b[0]).map(([, box]) => box)),
  ];
}

// Whether a distribution rests on some of the sentences only, and what is said then.
const partial = ({ distribution }) => distribution?.sentences < distribution?.of;
const soFar = ({ distribution }) => make("p", { id: "so-far", className: "quiet", attributes: { role: "status" },
  text: `From ${distribution.sentences.toLocaleString("en")} of ${distribution.of.toLocaleString("en")} sentences so far; the rest is being read.` });

// Sentences of a neuron that is not on the page: their text at once, their shades when the model has read them, which it
// does when their language is opened.
function shadeLater(record, code, box, put, shade) {
  put((index, marked, response) => sentenceLine(record, index, null, 0, shade, marked, response));
  let asked = false;
  const ask = async () => {
    if (!box.open || asked) return;
    asked = true;
    try {
      record.ends[code] ??= answerOf(`/api/ends?name=${encodeURIComponent(nameOf(record.neuron))}&language=${encodeURIComponent(code)}`);
      const values = numbers((await record.ends[code]).pieces, false);
      let start = 0;
      put((index, marked, response) => {
        const line = sentenceLine(record, index, values, start, shade, marked, response);
        start += data.sentences[index][1].length;
        return line;
      });
    } catch (error) {
      delete record.ends[code];
      box.append(make("p", { className: "warn", text: reason(error), attributes: { role: "alert" } }));
    }
  };
  box.addEventListener("toggle", ask);
  ask();
}

function tokenBars(title, rows) {
  const most = Math.max(...rows.map(([, value]) => Math.abs(value)));
  return make("div", {}, make("h4", { text: title }), make("ol", { className: "bars" }, ...rows.map(([token, value]) => {
    const row = make("li", {}, make("bdi", { text: JSON.stringify(tokenText(token)) }), make("span", { className: "score", text: signed(value, 2) }));
    row.style.setProperty("--share", `${((Math.abs(value) / (most || 1)) * 100).toFixed(1)}%`);
    row.style.setProperty("--bar", value < 0 ? "#f3d9c6" : "#cfe3ef");
    return row;
  })));
}

function neuronList(title, rows, go) {
  const known = ([layer, neuron]) => live || byName.has(nameOf([layer, neuron]));
  return make("div", {}, make("h4", { text: title }), make("ol", {}, ...rows.map(([layer, neuron, value]) => make("li", {},
    known([layer, neuron]) ? make("button", { className: "link", text: nameOf([layer, neuron]), on: { click: () => go([layer, neuron]) } }) : make("span", { text: nameOf([layer, neuron]) }),
    make("span", { className: "score", text: ` ${value.toFixed(2)}` })))));
}

function weights(record, go) {
  const said = record.weights;
  const lists = make("div", { className: "cols", id: "weights" });
  if (!said) lists.append(quiet("reading the weights…"));
  else if (said.promoted.length) {
    lists.append(tokenBars("promotes (logit)", said.promoted), tokenBars("suppresses (logit)", said.suppressed), tokenBars("is excited by (input)", said.read));
    if (said.readers.length) lists.append(neuronList("is read by (cosine)", said.readers, go));
  } else lists.append(quiet("Neurons of this site have no weights of their own."));
  if (record.neighbours) lists.append(neuronList("responds like (Pearson's r)", record.neighbours, go));
  return lists;
}

function actions(record) {
  const name = nameOf(record.neuron).replace(" ", "");
  const said = make("span", { className: "quiet", attributes: { role: "status" } });
  const svg = () => new XMLSerializer().serializeToString(document.getElementById("histogram"));
  const png = () => {
    const figure = document.getElementById("histogram");
    const picture = new Image();
    picture.onload = () => {
      const canvas = make("canvas", { width: figure.clientWidth * 2, height: figure.clientHeight * 2 });
      const pen = canvas.getContext("2d");
      pen.fillStyle = "#fff";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
      make("a", { href: canvas.toDataURL("image/png"), download: `${name}.png` }).click();
    };
    picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg())}`;
  };
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      said.textContent = "copied";
    } catch { said.textContent = visible(`the browser does not allow it; copy the address: ${location.href}`); }
  };
  const buttons = [["JSON", "save everything about this neuron as JSON", () => save(`${name}.json`, "application/json", JSON.stringify(plain(record), null, 1))],
    ["SVG", "save the histogram as SVG", () => save(`${name}.svg`, "image/svg+xml", svg())], ["PNG", "save the histogram as PNG", png], ["Copy link", "copy the address of this view", copy]];
  // Of a neuron that is not on the page, parts may still be missing.
  const lacking = [...(record.distribution && !partial(record) ? [] : ["JSON", "SVG", "PNG"]), ...(record.weights && record.neighbours ? [] : ["JSON"])];
  const there = buttons.filter(([text]) => !lacking.includes(text));
  return make("div", { className: "actions", id: "actions" }, ...there.map(([text, title, click]) => make("button", { text, title, on: { click } })), said);
}

// A record with its numbers unpacked, its tokens as text, and its sentences in full.
function plain(record) {
  const listed = (rows) => rows.map(([token, value]) => [tokenText(token), value]);
  const found = { model: data.title, site: data.site, corpus: data.corpus, layer: record.neuron[0], neuron: record.neuron[1], languages: data.languages,
    measures: record.measures, responses: Array.from(numbers(record.responses, true), (value) => Number(value.toPrecision(5))),
    sentences: data.sentences.map(([language], index) => ({ language: data.languages[language], text: sentenceText(index) })),
    promoted: listed(record.weights.promoted), suppressed: listed(record.weights.suppressed), excited_by: listed(record.weights.read), readers: record.weights.readers };
  if (record.distribution) Object.assign(found, { distribution: record.distribution, neighbours: record.neighbours });
  return found;
}

function effects(record) {
  const box = make("div", { id: "effects" });
  const ask = answers(box);
  const [low, high] = record.responses;
  const value = make("input", { type: "number", id: "hold", step: "any", value: Number(((low + 3 * high) / 4).toPrecision(3)) });
  const measure = (held, title) => ask("measuring…", () => new Promise((resolve, reject) => {
    const rows = [];
    const draw = () => {
      const most = Math.max(...rows.map((row) => Math.abs(row.change)));
      return [quiet(title), scrolling(title, table("changes", [["language"], ["log-perplexity", "nats per token, the model as it is"], ["change", "above 0: the text is predicted worse"], ["as a bar"]],
        rows.map((row) => make("tr", {}, make("td", {}, swatch(data.languages.indexOf(row.language)), make("span", { text: row.language })), make("td", { text: row.before.toFixed(3) }),
          make("td", { text: signed(row.change, 4) }), make("td", {}, changeBar(row.change, most, signed(row.change, 5)))))))];
    };
    eachLine("/api/effects", { by: "neuron", neuron: nameOf(record.neuron), ...held }, (row) => { rows.push(row); box.replaceChildren(...draw()); }).then(() => resolve(draw()), reject);
  }));
  return [
    make("h3", { text: "Effect on text" }),
    quiet("Change of log-perplexity on the first 8 sentences of each language, a few seconds of work."),
    make("div", { className: "actions" },
      make("button", { id: "silence", text: "Silence it", title: "set it to 0 at every token, and measure", on: { click: () => measure({ operation: "set", value: 0 }, "Silenced: 0 at every token.") } }),
      make("button", { id: "holding", text: "Hold it at", title: "set it to this value at every token, and measure", on: { click: () => measure({ operation: "set", value: value.valueAsNumber }, `Held at ${value.value} at every token.`) } }),
      make("label", { text: "activation " }, value)),
    box,
  ];
}

function scorings(record) {
  const box = make("div", { id: "scorings" });
  const ask = answers(box);
  const by = (question, wait) => () => ask(wait, async () => {
    await loaded;
    const found = await answerOf(`/api/${question}?name=${encodeURIComponent(nameOf(record.neuron))}`);
    const names = Object.keys(found.scorings);
    return [quiet(`Score, and rank among ${found.neurons.toLocaleString("en")} neurons. –: the scoring never selects the neuron for the language.`),
      scrolling("scores by every scoring", table("ranks", [["language"], ...names.map((name) => [name])], data.languages.map((code, i) => make("tr", {},
        make("td", {}, swatch(i), make("span", { text: code })), ...names.map((name) => {
          const cell = found.scorings[name][i];
          return make("td", { text: cell ? `${cell[0].toPrecision(4)} (${cell[1].toLocaleString("en")})` : "–" });
        })))))];
  });
  return [make("h3", { text: "Scores by every scoring" }), make("div", { className: "actions" },
    make("button", { id: "score", text: "Score by six scorings", on: { click: by("scorings", "scoring all neurons; the first time takes a pass over the corpus…") } }),
    make("button", { id: "score-slow", text: "Score by DLN and the sparse probe", title: "the probe needs scikit-learn", on: { click: by("slow_scorings", "fitting a probe over all neurons; the first time takes a pass over the corpus, and up to minutes…") } })), box];
}
