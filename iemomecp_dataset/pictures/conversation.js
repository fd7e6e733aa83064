// Hovering and choosing pairs in conversations, and choosing one of several conversations of a page.
(() => {
  if (window.iemomecp) return;
  const SVG = "http://www.w3.org/2000/svg";

  // Rows of "target,first cause,percent digits,class digits", as pair_rows in conversation_page.py packs them.
  function unpack(packed) {
    const rows = new Map();
    for (const [target, first, percents, labels] of packed) {
      if (!rows.has(target)) rows.set(target, new Map());
      for (let i = 0; i < labels.length; i++) {
        rows.get(target).set(first + i, [Number(percents.slice(2 * i, 2 * i + 2)), Number(labels[i])]);
      }
    }
    return rows;
  }

  function conversation(root) {
    root.dataset.ready = "yes";
    const { classes, rows: packed } = JSON.parse(root.dataset.pairs);
    const svg = root.querySelector(".iemomecp-triangle");
    const drawing = root.querySelector(".iemomecp-drawing");
    const described = root.querySelector(".iemomecp-described");
    const line = (turn) => root.querySelector(`.iemomecp-turn[data-turn="${turn}"]`);
    const help = described.textContent;
    let rows = null;
    let frame = null;
    let chosen = null;
    let shown = "";

    function clear() {
      for (const one of root.querySelectorAll(".iemomecp-as-target, .iemomecp-as-cause, .iemomecp-lit")) {
        one.classList.remove("iemomecp-as-target", "iemomecp-as-cause", "iemomecp-lit");
      }
      root.classList.remove("iemomecp-chosen");
      frame?.remove();
      frame = null;
      shown = "";
      describe(help, true);
    }

    function describe(words, asHelp) {
      described.textContent = words;
      described.classList.toggle("iemomecp-help", asHelp);
    }

    function outline(target, cause) {
      const [cell, left, top] = ["cell", "left", "top"].map((name) => Number(svg.dataset[name]));
      frame = document.createElementNS(SVG, "rect");
      const place = { x: left + (cause - 1) * cell, y: top + (target - 1) * cell, width: cell, height: cell };
      for (const [key, value] of Object.entries(place)) frame.setAttribute(key, value);
      frame.setAttribute("class", "iemomecp-selected");
      frame.setAttribute("pointer-events", "none");
      svg.append(frame);
    }

    function said(turn) {
      const part = (name) => line(turn).querySelector(name).textContent;
      const text = part(".iemomecp-text");
      return `turn ${turn}, ${part(".iemomecp-speaker")}: ${text.length > 140 ? `${text.slice(0, 139)}…` : text}`;
    }

    // Without a cause: every pair of the target.
    function show(target, cause) {
      if (shown === `${target} ${cause}`) return;
      clear();
      shown = `${target} ${cause}`;
      line(target)?.classList.add("iemomecp-as-target");
      for (const piece of root.querySelectorAll(`.iemomecp-gutter i[data-target="${target}"]`)) {
        piece.classList.add("iemomecp-lit");
        root.classList.add("iemomecp-chosen");
      }
      if (cause === null) return;
      if (cause !== target) line(cause)?.classList.add("iemomecp-as-cause");
      outline(target, cause);
      rows ??= unpack(packed);
      const [about, label] = rows.get(target).get(cause);
      const decided = label < classes.length - 1 ? classes[label].replace(/^emo_/, "") : "no pair";
      describe(`Emotion of ${said(target)} — cause: ${said(cause)} — P(pair) about ${about} %, decided: ${decided}.`, false);
    }

    const restore = () => (chosen ? show(...chosen) : shown && clear());
    const choose = (target, cause) => {
      chosen = chosen && chosen[0] === target && chosen[1] === cause ? null : [target, cause];
      restore();
    };
    const pairOf = (button) => [Number(button.dataset.target), Number(button.dataset.cause)];

    for (const button of root.querySelectorAll(".iemomecp-cause")) {
      button.addEventListener("mouseenter", () => show(...pairOf(button)));
      button.addEventListener("mouseleave", restore);
      button.addEventListener("focus", () => show(...pairOf(button)));
      button.addEventListener("blur", restore);
      button.addEventListener("click", () => choose(...pairOf(button)));
    }
    for (const turn of root.querySelectorAll(".iemomecp-emotional > .iemomecp-said")) {
      turn.addEventListener("mouseenter", () => show(Number(turn.parentNode.dataset.turn), null));
      turn.addEventListener("mouseleave", restore);
    }

    function under(event) {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const [cell, left, top] = ["cell", "left", "top"].map((name) => Number(svg.dataset[name]));
      const cause = Math.floor(((event.clientX - box.left) * scale - left) / cell) + 1;
      const target = Math.floor(((event.clientY - box.top) * scale - top) / cell) + 1;
      rows ??= unpack(packed);
      return rows.get(target)?.has(cause) ? [target, cause] : null;
    }
    drawing.addEventListener("mousemove", (event) => {
      const pair = under(event);
      if (pair) show(...pair);
      else restore();
    });
    drawing.addEventListener("mouseleave", restore);
    drawing.addEventListener("click", (event) => {
      const pair = under(event);
      if (pair) choose(...pair);
    });
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    drawing.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      rows ??= unpack(packed);
      if (event.key === "Escape") chosen = null;
      else if (!(event.key in steps)) return;
      else if (!chosen) {
        const first = root.querySelector(".iemomecp-cause");
        const [target, causes] = [...rows][0];
        chosen = first ? pairOf(first) : [target, [...causes.keys()][0]];
      } else {
        const next = [chosen[0] + steps[event.key][0], chosen[1] + steps[event.key][1]];
        if (rows.get(next[0])?.has(next[1])) chosen = next;
      }
      event.preventDefault();
      restore();
      frame?.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
  }

  function page(root) {
    root.dataset.ready = "yes";
    const choice = root.querySelector("select");
    const place = root.querySelector(".iemomecp-place");
    const first = place.innerHTML;
    const others = [...root.querySelectorAll("template")];
    const show = (number) => {
      choice.selectedIndex = number;
      if (number === 0) place.innerHTML = first;
      else place.replaceChildren(others[number - 1].content.cloneNode(true));
      initialise(place);
    };
    const count = others.length + 1;
    const step = (by) => show((choice.selectedIndex + by + count) % count);
    choice.addEventListener("change", () => show(choice.selectedIndex));
    root.querySelector('[data-step="-1"]').addEventListener("click", () => step(-1));
    root.querySelector('[data-step="1"]').addEventListener("click", () => step(1));
  }

  function initialise(root = document) {
    const found = (kind) => [
      ...(root.matches?.(kind) ? [root] : []),
      ...root.querySelectorAll(kind),
    ].filter((one) => !one.dataset.ready);
    found(".iemomecp-several").forEach(page);
    found(".iemomecp-conversation").forEach(conversation);
  }

  window.iemomecp = { initialise };
  const begin = () => {
    initialise();
    // A page that inserts conversations later need not call anything.
    new MutationObserver((changes) => {
      if (changes.some((change) => change.addedNodes.length)) initialise();
    }).observe(document.body, { childList: true, subtree: true });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
