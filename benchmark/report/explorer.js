// Browses dialogues: gold roles on the left, decisions and confidences of one system on the right.
for (const root of document.querySelectorAll(".explorer:not(.emotions)")) {
  const browser = browseDialogues(root, {
    sortKeys: {
      data: () => 0,
      errors: (d) => -(errors(d).missed + errors(d).wrong),
      gold: (d) => -[...d.gold].filter((c) => c === "0").length,
      length: (d) => -d.turns,
    },
    keys: {
      ArrowUp: () => move(-1, 0),
      ArrowDown: () => move(1, 0),
      ArrowLeft: () => move(0, -1),
      ArrowRight: () => move(0, 1),
      s: () => browser.nextOption("system"),
    },
    show: (other) => {
      if (other) state.pair = 0;
      show();
    },
  });
  const { data, part, dialogue } = browser;
  const last = data.classes.length - 1;
  const SVG = "http://www.w3.org/2000/svg";
  const CELL = 20;
  const state = { system: 0, pair: 0 };

  const shape = (name, attributes, parent) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  };
  const errors = (dialogue) => {
    const count = { found: 0, missed: 0, wrong: 0 };
    for (let i = 0; i < dialogue.gold.length; i++) {
      const gold = dialogue.gold[i] === "0";
      const predicted = dialogue.decided[state.system][i] === "0";
      if (gold && predicted) count.found++;
      else if (gold) count.missed++;
      else if (predicted) count.wrong++;
    }
    return count;
  };

  function grid(title, d, draw) {
    const size = d.turns * CELL;
    const svg = document.createElementNS(SVG, "svg");
    const widest = Math.max(300, 1.35 * (size + 30));
    // Long dialogues are drawn smaller in narrow windows, their numbers are not.
    const room = part("grids").clientWidth;
    const scale = Math.min(widest, room < 672 ? room : (room - 32) / 2) / (size + 44);
    const letters = Math.max(9, 9.5 / scale);
    const margin = 10 + 1.7 * letters;
    svg.setAttribute("viewBox", `${-margin} ${-margin} ${size + margin + 4} ${size + margin + 4}`);
    svg.setAttribute("style", `max-width: ${widest}px`);
    svg.setAttribute("aria-hidden", "true");
    const step = Math.max(d.turns <= 20 ? 1 : 2, Math.ceil((1.4 * letters) / CELL));
    for (let turn = 1; turn <= d.turns; turn += step) {
      const number = { class: "turn", "font-size": letters };
      shape("text", { ...number, x: (turn - 0.5) * CELL, y: -7, "text-anchor": "middle" }, svg).textContent = turn;
      shape("text", { ...number, x: -7, y: (turn - 0.5) * CELL + 0.36 * letters, "text-anchor": "end" }, svg).textContent = turn;
    }
    d.targets.forEach((target, i) => {
      const cell = shape("g", { transform: `translate(${(d.causes[i] - 1) * CELL} ${(target - 1) * CELL})` }, svg);
      shape("rect", { x: 1, y: 1, width: CELL - 2, height: CELL - 2, class: "candidate" }, cell);
      draw(cell, i);
      if (i === state.pair) shape("rect", { x: 0, y: 0, width: CELL, height: CELL, class: "selected" }, cell);
      cell.addEventListener("click", () => select(i));
      cell.addEventListener("mouseenter", () => describe(i));
    });
    const figure = document.createElement("div");
    const heading = document.createElement("h4");
    heading.textContent = title;
    figure.append(heading, svg);
    return figure;
  }

  const full = { x: 1, y: 1, width: CELL - 2, height: CELL - 2 };
  const bar = { x: 2, y: CELL / 2 - 3, width: CELL - 4, height: 6, class: "context" };

  function drawGold(d) {
    return (cell, i) => {
      if (d.gold[i] === "0") shape("rect", { ...full, class: "cause" }, cell);
      else if (Number(d.gold[i]) < last) shape("rect", bar, cell);
    };
  }

  function drawSystem(d) {
    return (cell, i) => {
      const confidence = Number(d.confidence[state.system].slice(2 * i, 2 * i + 2)) / 100;
      const predicted = Number(d.decided[state.system][i]);
      const gold = d.gold[i] === "0";
      if (confidence >= 0.02) shape("rect", { ...full, class: "cause", "fill-opacity": 0.85 * confidence }, cell);
      if (predicted === 0 && gold) shape("circle", { cx: CELL / 2, cy: CELL / 2, r: 4.5, class: "mark" }, cell);
      else if (predicted === 0) shape("path", { d: "M6 6L14 14M14 6L6 14", class: "mark" }, cell);
      else if (gold) shape("rect", { x: 2.5, y: 2.5, width: CELL - 5, height: CELL - 5, class: "missed" }, cell);
      if (predicted > 0 && predicted < last) shape("rect", bar, cell);
    };
  }

  function drawMarks() {
    const entry = (words, draw) => {
      const svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("viewBox", `0 0 ${CELL} ${CELL}`);
      svg.setAttribute("aria-hidden", "true");
      shape("rect", { ...full, class: "candidate" }, svg);
      draw(svg);
      const line = document.createElement("li");
      line.append(svg, words);
      return line;
    };
    const one = { classes: data.classes, gold: "0", decided: ["0"], confidence: ["00"] };
    const as = (gold, decided) => (cell) => {
      const system = state.system;
      state.system = 0;
      drawSystem({ ...one, gold, decided: [decided] })(cell, 0);
      state.system = system;
    };
    part("marks").replaceChildren(
      entry(`gold ${data.classes[0]}; in a system's grid the shade is P(${data.classes[0]})`, (cell) =>
        shape("rect", { ...full, class: "cause" }, cell),
      ),
      ...(last > 1 ? [entry(data.classes[1], (cell) => shape("rect", bar, cell))] : []),
      entry("found", as("0", "0")),
      entry("missed", as("0", String(last))),
      entry("false alarm", as(String(last), "0")),
    );
  }

  function describe(i) {
    const d = dialogue();
    const distance = d.targets[i] - d.causes[i];
    const where = distance === 0 ? "itself" : distance > 0 ? `${distance} before it` : `${-distance} after it`;
    const confidence = Number(d.confidence[state.system].slice(2 * i, 2 * i + 2));
    part("pair").textContent =
      `Target turn ${d.targets[i]}, candidate turn ${d.causes[i]} (${where}): gold ${data.classes[d.gold[i]]}, ` +
      `predicted ${data.classes[d.decided[state.system][i]]}, P(${data.classes[0]}) about ${confidence} %`;
    for (const line of part("lines").children) {
      line.classList.toggle("target", line.value === d.targets[i]);
      line.classList.toggle("cause", line.value === d.causes[i]);
    }
  }

  function select(i) {
    state.pair = i;
    show();
  }

  function move(down, right) {
    const d = dialogue();
    const target = d.targets[state.pair] + down;
    const cause = d.causes[state.pair] + right;
    const found = d.targets.findIndex((t, i) => t === target && d.causes[i] === cause);
    if (found >= 0) select(found);
  }

  function show() {
    const d = dialogue();
    const count = errors(d);
    part("id").textContent = d.id;
    part("place").textContent = browser.place();
    part("count").textContent =
      `${d.turns} turns, ${count.found + count.missed} gold pairs: ${count.found} found, ${count.missed} missed, ` +
      `${count.wrong} false alarms`;
    part("lines").replaceChildren(
      ...(d.lines ?? []).map(([speaker, text], i) => {
        const line = document.createElement("li");
        line.value = i + 1;
        const who = document.createElement("b");
        who.textContent = speaker;
        line.append(who, " ", text);
        return line;
      }),
    );
    part("grids").replaceChildren(
      grid("Gold", d, drawGold(d)),
      grid(data.systems[state.system], d, drawSystem(d)),
    );
    describe(state.pair);
  }

  data.systems.forEach((name, i) => part("system").add(new Option(name, i)));
  part("system").addEventListener("change", () => {
    state.system = Number(part("system").value);
    browser.arrange();
    show();
  });
  addEventListener("resize", show);
  drawMarks();
  browser.arrange();
  show();
}
