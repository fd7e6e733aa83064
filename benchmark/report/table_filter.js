// Adds a search box above each results table: every word must occur in the first cell of a row (a word after "-" must
// not), and a checkbox hides the structural baselines. The number of shown rows makes it clear that some are hidden.
for (const table of document.querySelectorAll("table.results")) {
  const rows = [...table.tBodies[0].rows];
  const box = document.createElement("div");
  box.className = "filter";
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = `Filter systems, for example: ${table.dataset.example}`;
  input.setAttribute("aria-label", "Filter systems by words; a word after a minus sign must not occur");
  const label = document.createElement("label");
  const baselines = document.createElement("input");
  baselines.type = "checkbox";
  baselines.checked = true;
  label.append(baselines, " structural baselines");
  const count = document.createElement("span");
  count.className = "shown";
  count.setAttribute("aria-live", "polite");
  box.append(input);
  if (rows.some((row) => row.classList.contains("structural"))) box.append(label);
  box.append(count);
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter((word) => word.replace(/^-/, ""));
    let shown = 0;
    for (const row of rows) {
      const text = row.cells[0].textContent.toLowerCase();
      const fits = words.every((word) => (word.startsWith("-") ? !text.includes(word.slice(1)) : text.includes(word)));
      row.hidden = !fits || (!baselines.checked && row.classList.contains("structural"));
      shown += !row.hidden;
    }
    count.textContent = shown === rows.length ? "" : `${shown} of ${rows.length} rows shown`;
  };
  input.addEventListener("input", apply);
  baselines.addEventListener("change", apply);
  table.parentElement.before(box);
}
