// Figures, drawn at the width that they get, so that their text keeps its size on a phone.
const PLAIN = 'system-ui, "Segoe UI", sans-serif';
const LEVELS = [0.5, 0.9, 0.99, 0.999];
const LEVEL_NAMES = ["50%", "90%", "99%", "99.9%"];

const sizedBoxes = new Set();
function sized(build) {
  const box = make("div", { className: "figure" });
  box.build = () => box.replaceChildren(build(Math.max(280, box.clientWidth)));
  sizedBoxes.add(box);
  return box;
}
function drawFigures() {
  for (const box of sizedBoxes) {
    if (box.isConnected) box.build();
    else sizedBoxes.delete(box);
  }
}
let widthDrawn = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === widthDrawn) return; // a phone's bars come and go
  widthDrawn = innerWidth;
  drawFigures();
});

// Round numbers: 1, 2 or 5 times a power of ten.
function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-9; at++) found.push(at * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return found.map((value) => [value, value.toFixed(Math.min(digits, 8))]);
}

// Histogram of the activations over tokens; the counts on a logarithmic scale, for most tokens leave a neuron near zero.
function histogram(record, width) {
  const { low, high, counts, own, quantiles, language } = record.distribution;
  const left = 44, right = 12, top = 66, plot = 130, height = top + plot + 40;
  const span = high - low || 1;
  const x = (value) => left + ((value - low) / span) * (width - left - right);
  const most = Math.log10(Math.max(...counts) + 1);
  const y = (count) => top + plot - (Math.log10(count + 1) / most) * plot;
  const bar = (width - left - right) / counts.length;
  const figure = drawn("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "font-family": PLAIN, "font-size": 12, fill: "#1a1a1a" },
    drawn("title", {}, `Histogram of the activations of ${nameOf(record.neuron)} over tokens`));
  for (let power = 0; 10 ** power <= Math.max(...counts) * 1.0001; power++) {
    const at = y(10 ** power);
    figure.append(drawn("line", { x1: left, x2: width - right, y1: at, y2: at, stroke: "#e4e4e4" }),
      drawn("text", { x: left - 5, y: at + 4, "text-anchor": "end" }, (10 ** power).toLocaleString("en")));
  }
  const colour = data.colours[data.languages.indexOf(language)] ?? "#0072B2";
  for (const [series, fill] of [[counts, "#c4c4c4"], [own, colour]]) {
    series.forEach((count, bin) => {
      if (!count) return;
      const edges = [low + (span * bin) / counts.length, low + (span * (bin + 1)) / counts.length];
      figure.append(drawn("rect", { x: left + bin * bar, y: y(count), width: Math.max(1, bar - 1), height: top + plot - y(count), fill },
        drawn("title", {}, `${edges[0].toPrecision(3)} to ${edges[1].toPrecision(3)}: ${counts[bin]} tokens, ${own[bin]} of ${language}`)));
    });
  }
  const ends = [];
  quantiles.forEach((value, level) => {
    const text = LEVEL_NAMES[level], at = x(value);
    const anchor = at > width - 60 ? "end" : "start";
    const [from, to] = anchor === "start" ? [at, at + 48] : [at - 48, at];
    const row = [0, 1, 2, 3].find((each) => !(ends[each] ?? []).some(([a, b]) => from < b && to > a)) ?? 3;
    (ends[row] ??= []).push([from, to]);
    const line = 12 + row * 14;
    figure.append(drawn("line", { x1: at, x2: at, y1: line - 9, y2: top + plot, stroke: "#a03000", "stroke-dasharray": "3 3", class: "quantile" }),
      drawn("text", { x: at + (anchor === "start" ? 3 : -3), y: line, "text-anchor": anchor, fill: "#a03000" }, text));
  });
  figure.append(drawn("line", { x1: left, x2: width - right, y1: top + plot, y2: top + plot, stroke: "#666" }));
  for (const [value, text] of ticks(low, high, width / 90)) {
    figure.append(drawn("line", { x1: x(value), x2: x(value), y1: top + plot, y2: top + plot + 4, stroke: "#666" }),
      drawn("text", { x: x(value), y: top + plot + 17, "text-anchor": "middle" }, text));
  }
  figure.append(drawn("text", { x: (left + width) / 2, y: height - 4, "text-anchor": "middle" }, "activation at a token"),
    drawn("text", { x: 4, y: top - 8 }, "tokens"));
  return figure;
}

// One point per sentence, one row per language.
function strip(record, width) {
  const values = numbers(record.responses, true);
  const [low, high] = record.responses;
  const row = 26, left = 56, right = 14, height = row * data.languages.length + 40;
  const scale = devicePixelRatio || 1;
  const canvas = make("canvas", { width: width * scale, height: height * scale, id: "strip",
    attributes: { role: "img", "aria-label": `Responses of ${nameOf(record.neuron)} to the sentences of each language` } });
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const x = (value) => left + ((value - low) / (high - low || 1)) * (width - left - right);
  const points = [];
  const byLanguage = data.languages.map(() => []);
  for (let i = 0; i < values.length; i++) {
    const language = data.sentences[i][0];
    // A position in its row that looks random and is always the same.
    const y = row * (language + 0.5) + (((i * 7919) % 97) / 97 - 0.5) * row * 0.7;
    points.push([x(values[i]), y, i]);
    byLanguage[language].push(values[i]);
    pen.fillStyle = data.colours[language] + "88";
    pen.fillRect(x(values[i]) - 1.5, y - 1.5, 3, 3);
  }
  pen.font = `12px ${PLAIN}`;
  pen.fillStyle = "#1a1a1a";
  byLanguage.forEach((found, language) => {
    pen.fillText(visible(data.languages[language]).slice(0, 8), 4, row * (language + 0.5) + 4);
    if (!found.length) return;
    found.sort((a, b) => a - b);
    pen.fillRect(x(found[found.length >> 1]) - 1, row * language + 3, 2, row - 6);
  });
  const bottom = height - 36;
  pen.fillRect(left, bottom, width - left - right, 1);
  pen.textAlign = "center";
  for (const [value, text] of ticks(low, high, width / 90)) {
    pen.fillRect(x(value), bottom, 1, 4);
    pen.fillText(text, x(value), bottom + 17);
  }
  pen.fillText("response", (left + width) / 2, height - 4);
  const caption = quiet("One point per sentence; the bar is the median. Point at one to read it.");
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const at = [event.clientX - box.left, event.clientY - box.top];
    let best = null, least = 120;
    for (const [px, py, index] of points) {
      const far = (px - at[0]) ** 2 + (py - at[1]) ** 2;
      if (far < least) { least = far; best = index; }
    }
    if (best !== null) caption.textContent = visible(`${data.languages[data.sentences[best][0]]}, response ${values[best].toFixed(3)}: ${sentenceText(best)}`);
  });
  return make("div", {}, canvas, caption);
}

// A bar on either side of zero, as wide as its share of the largest.
function changeBar(value, most, title) {
  const box = make("span", { className: "change", title });
  const bar = make("span", {});
  const share = Math.min(1, Math.abs(value) / (most || 1)) * 50;
  bar.style.width = `${share}%`;
  bar.style.left = value < 0 ? `${50 - share}%` : "50%";
  bar.style.background = value > 0 ? "#D55E00" : "#0072B2";
  box.append(bar);
  return box;
}
