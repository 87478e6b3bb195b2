"use strict";
// Opens the marks of the matrix. Texts of a run are only ever set as textContent; nothing is parsed as markup.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WORDS = { y: "right", n: "wrong", f: "failed" };
  const $ = (id) => document.getElementById(id);
  const columns = [...$("matrix").children];
  let parsed = null, at = 0, setting = 0, rank = "all";

  const data = () => (parsed ??= JSON.parse($("data").textContent));
  const cells = (column) => [...column.querySelectorAll("button")];
  const shown = () => rank === "all" ? columns : columns.filter((column) => column.classList.contains("r" + rank));

  function make(tag, name, ...content) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(...content.filter((part) => part !== null && part !== undefined));
    return element;
  }

  const counted = (number, one, many) => `${number} ${number === 1 ? one : many}`;
  const text = (content, name = "") => make("pre", "text " + name, content);
  const titled = (title, ...content) => make("div", "part", make("h3", "", title), ...content);

  function folded(title, ...content) {
    const box = make("details", "", make("summary", "", title));
    box.append(...content);
    return box;
  }

  function drawing(id, about) {
    const size = id && data().symbols[id];
    if (!size) return null;
    const svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
    svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    svg.setAttribute("width", size[0]);
    svg.setAttribute("height", size[1]);
    svg.setAttribute("class", "drawing");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", about);
    use.setAttribute("href", "#" + id);
    svg.append(use);
    return svg;
  }

  function step(record, number) {
    const box = make("div", "step", make("h3", "", `Step ${number + 1}`));
    if (record.output) box.append(text(record.output));
    if (record.observation) box.append(text(record.observation));
    if (record.error) box.append(text(record.error, "error"));
    return box;
  }

  function retrieval(record) {
    const read = record.text === undefined ? "nothing" : data().texts[record.text];
    return make("div", "step", make("h3", "", record.query ?? "(empty query)"),
      make("p", "quiet", (record.hits ?? []).join(", ") || "no hit"), text(read));
  }

  function answer(record, many, number) {
    const box = make("div", "");
    if (many) box.append(make("h4", "", `Repeat ${number + 1}`));
    const line = make("p", "quiet", make("span", "state " + record.state, WORDS[record.state]), ` · score ${record.score}`);
    if (record.ended) line.append(" · " + record.ended);
    if (record.cost) line.append(" · " + record.cost);
    if (record.metrics) line.append(" · " + record.metrics);
    box.append(titled("Answer", drawing(record.answer_drawn, "the answer, drawn"), text(record.answer ?? "no answer", "said"), line));
    if (record.error) box.append(titled("Why it failed", text(record.error, "error")));
    if (record.scatter) box.append(titled("Formula (right) against measurement (up)", drawing(record.scatter, "scatter")));
    if (record.reply) box.append(folded("Reply", text(record.reply)));
    if (record.reasoning) box.append(folded("Thinking", text(record.reasoning)));
    if (record.hits) box.append(folded(`Experiences used: ${record.hits.length}`, make("p", "quiet", record.hits.join(", "))));
    if (record.hidden) box.append(folded(`Experiences hidden by the leakage guard: ${record.hidden.length}`, make("p", "quiet", record.hidden.join(", "))));
    if (record.retrievals) box.append(folded(`What it read in the library: ${counted(record.retrievals.length, "query", "queries")}`, ...record.retrievals.map(retrieval)));
    if (record.steps) {
      const more = record.more_steps ? [make("p", "quiet", `${record.more_steps} more steps in the trace file`)] : [];
      box.append(folded(`Trajectory: ${counted(record.steps.length + (record.more_steps ?? 0), "step", "steps")}`, ...record.steps.map(step), ...more));
    }
    box.append(make("p", "quiet", "Log: " + record.files));
    return box;
  }

  function tab(button, number) {
    const name = data().settings[number], pressed = number === setting;
    const mark = make("i", button.className), made = make("button", "", mark, name);
    made.type = "button";
    made.setAttribute("aria-pressed", String(pressed));
    made.addEventListener("click", () => { setting = number; render(); $("tabs").children[number].focus(); });
    return made;
  }

  function render() {
    const record = data().problems[at], column = columns[at], marks = cells(column);
    const words = marks[setting].getAttribute("aria-label");
    $("dialog-title").textContent = record ? `Problem ${record.number}` : "Problem " + words.split(" ")[0];
    $("tabs").replaceChildren(...marks.map(tab));
    const body = $("body");
    body.scrollTop = 0;
    const visible = shown(), place = visible.indexOf(column);
    $("previous").disabled = place <= 0;
    $("next").disabled = place >= visible.length - 1;
    if (!record) {
      body.replaceChildren(make("p", "", words), make("p", "quiet", "This page has no room for the details of this problem; the folder of the setting holds them."));
      return;
    }
    const answers = record.answers[setting] ?? [];
    body.replaceChildren(
      make("div", "two",
        titled("Question", drawing(record.question_drawn, "the question, drawn"), text(record.question ?? "", "said")),
        titled("Target", drawing(record.target_drawn, "the target, drawn"), text(record.target ?? "unknown", "said"))),
      ...answers.map((each, number) => answer(each, answers.length > 1, number)));
    if (!answers.length) body.append(make("p", "", "This setting was not asked."));
    if (record.more) body.append(make("p", "quiet", `${record.more} more repeats in results.jsonl`));
    if (!record.full) body.append(make("p", "quiet", "Only the beginning: this page has no room for everything about every problem; the files hold it."));
    body.append(make("p", "quiet", record.id));
  }

  function open(button) {
    at = columns.indexOf(button.closest(".p"));
    setting = cells(columns[at]).indexOf(button);
    render();
    $("dialog").showModal();
    $("body").focus();
  }

  function move(by) {
    const visible = shown(), next = visible[visible.indexOf(columns[at]) + by];
    if (!next) return;
    at = columns.indexOf(next);
    render();
  }

  let current = $("matrix").querySelector("button");

  function focusOn(button) {
    if (!button) return;
    if (current) current.tabIndex = -1;
    current = button;
    current.tabIndex = 0;
    current.focus();
  }

  function arrow(event) {
    const button = event.target.closest("button.c");
    if (!button) return;
    const visible = shown(), column = button.closest(".p"), row = cells(column).indexOf(button), place = visible.indexOf(column);
    const to = { ArrowLeft: [place - 1, row], ArrowRight: [place + 1, row], ArrowUp: [place, row - 1], ArrowDown: [place, row + 1],
      Home: [0, row], End: [visible.length - 1, row] }[event.key];
    if (!to) return;
    event.preventDefault();
    if (visible[to[0]]) focusOn(cells(visible[to[0]])[to[1]]);
  }

  $("matrix").addEventListener("click", (event) => { const button = event.target.closest("button.c"); if (button) { focusOn(button); open(button); } });
  $("matrix").addEventListener("keydown", arrow);
  $("matrix").addEventListener("pointerover", (event) => {
    const button = event.target.closest("button.c");
    if (button && !button.title) button.title = button.getAttribute("aria-label");
  });
  const filter = document.querySelector(".filter");
  filter.hidden = false;
  filter.addEventListener("change", (event) => {
    rank = event.target.value;
    $("matrix").className = "columns show-" + rank;
    const first = shown()[0];
    if (first && !shown().includes(current?.closest(".p"))) {
      current.tabIndex = -1;
      current = cells(first)[0];
      current.tabIndex = 0;
    }
  });
  $("previous").addEventListener("click", () => move(-1));
  $("next").addEventListener("click", () => move(1));
  $("close").addEventListener("click", () => $("dialog").close());
  $("dialog").addEventListener("close", () => focusOn(cells(columns[at])[setting]));
  $("dialog").addEventListener("click", (event) => { if (event.target === $("dialog")) $("dialog").close(); });
  $("dialog").addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowLeft") move(-1);
    if (event.key === "ArrowRight") move(1);
  });
})();
