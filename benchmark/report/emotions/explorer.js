// Browses dialogues: the gold emotion of every turn beside those that the systems predicted, wrong ones marked.
for (const root of document.querySelectorAll(".explorer.emotions")) {
  const wrong = (d, system) => d.predicted[system].filter((id, i) => d.gold[i] >= 0 && id !== d.gold[i]).length;
  const browser = browseDialogues(root, {
    sortKeys: {
      data: () => 0,
      errors: (d) => -data.systems.reduce((sum, _, system) => sum + wrong(d, system), 0),
      emotions: (d) => -new Set(d.gold.filter((id) => id >= 0)).size,
      length: (d) => -d.turns.length,
    },
    keys: {},
    show: () => show(),
  });
  const { data, part, dialogue } = browser;
  const withTexts = root.querySelectorAll("thead th").length === data.systems.length + 3;

  const cell = (name, ...content) => {
    const element = document.createElement(name);
    element.append(...content);
    return element;
  };
  const words = (name, text, className) => {
    const element = cell(name, text);
    element.className = className;
    return element;
  };

  function row(d, i) {
    const turn = cell("th", d.turns[i]);
    turn.scope = "row";
    const line = cell("tr", turn);
    if (withTexts) {
      const [speaker, text] = d.lines?.[i] ?? ["", ""];
      const said = cell("td", cell("b", speaker), " ", text);
      said.className = "said";
      line.append(said);
    }
    line.append(cell("td", d.gold[i] < 0 ? "not known" : data.classes[d.gold[i]]));
    data.systems.forEach((_, system) => {
      const id = d.predicted[system][i];
      const percent = d.confidence[system][i];
      const predicted = cell("td", data.classes[id] + (percent === undefined ? "" : ` ${percent} %`));
      if (d.gold[i] >= 0 && id !== d.gold[i]) {
        predicted.className = "wrong";
        predicted.append(" ", words("span", "wrong", "tag"));
      }
      line.append(predicted);
    });
    return line;
  }

  function show() {
    const d = dialogue();
    const known = d.gold.filter((id) => id >= 0).length;
    part("id").textContent = d.id;
    part("place").textContent = `(${browser.place()})`;
    part("count").textContent =
      `${d.turns.length} turns, ${known} with a known emotion; wrong: ` +
      data.systems.map((name, system) => `${wrong(d, system)} (${name})`).join(", ");
    part("turns").replaceChildren(...d.turns.map((_, i) => row(d, i)));
  }

  part("browse").hidden = false;
  browser.arrange();
  show();
}
