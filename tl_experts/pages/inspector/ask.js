// Questions to the live inspector's own server. Answers that take a while come line by line.
async function answerOf(address) {
  const answer = await fetch(address);
  const found = await answer.json();
  if (found.error) throw new Error(found.error);
  return found;
}

async function eachLine(address, asked, onLine, signal) {
  const options = asked ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked), signal } : { signal };
  const answer = await fetch(address, options);
  if (!answer.ok) throw new Error(`the server answers ${answer.status} ${answer.statusText}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    rest += value ?? "";
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const found = JSON.parse(line);
      if (found.error) throw new Error(found.error);
      onLine(found);
    }
    if (done) return;
  }
}

const reason = (error) => (error instanceof TypeError ? "the inspector's server cannot be reached; is tl-experts inspect still running?" : error.message);

// A place for one answer: what is asked later replaces what was asked before, and each message is shown once.
function answers(box) {
  let latest = 0;
  return async (waiting, ask) => {
    const mine = ++latest;
    box.replaceChildren(quiet(waiting));
    try {
      const found = await ask();
      if (mine === latest) box.replaceChildren(...[found].flat());
    } catch (error) {
      if (mine === latest && error.name !== "AbortError") box.replaceChildren(make("p", { className: "warn", text: reason(error), attributes: { role: "alert" } }));
    }
    drawFigures();
  };
}

// What the forms need of the loaded model; until then the bar says what is done and for how long.
let settings = null;
const loaded = live && new Promise((resolve, reject) => { live.resolve = resolve; live.reject = reject; });
loaded?.catch(() => {}); // it is shown below
function loadingLine() {
  const line = make("div", { id: "loading", className: "quiet", attributes: { role: "status" } });
  const bar = make("progress", { max: 1, value: 0, ariaLabel: "loading" });
  const words = make("span", { text: "starting" });
  line.append(bar, words);
  eachLine("/api/loading", null, (state) => {
    if (state.stage) {
      bar.max = state.steps + 1;
      bar.value = state.step;
      words.textContent = visible(`step ${Math.max(1, state.step)} of ${state.steps}: ${state.stage} (${Math.round(state.seconds)} s). The experts below can be read meanwhile.`);
    }
    if (state.layers) {
      settings = state;
      line.remove();
      live.resolve(state);
    }
  }).catch((error) => {
    line.replaceChildren(make("span", { className: "warn", text: reason(error) }));
    live.reject(error);
  });
  return line;
}
