// What the explorers share: dialogues in a chosen order, stepped through by buttons and keys.
function browseDialogues(root, { sortKeys, keys, show }) {
  const data = JSON.parse(root.querySelector("script").textContent);
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const state = { order: [], place: 0 };
  const arrange = () => {
    const shown = state.order.length ? state.order[state.place] : (data.start ?? 0);
    const by = data.dialogues.map(sortKeys[part("order").value]);
    state.order = data.dialogues.map((_, i) => i).sort((a, b) => by[a] - by[b] || a - b);
    state.place = part("order").value === "data" ? shown : 0;
  };
  const step = (by) => {
    state.place = (state.place + by + state.order.length) % state.order.length;
    show(true);
  };
  const nextOption = (name) => {
    part(name).selectedIndex = (part(name).selectedIndex + 1) % part(name).options.length;
    part(name).dispatchEvent(new Event("change"));
  };
  part("previous").addEventListener("click", () => step(-1));
  part("next").addEventListener("click", () => step(1));
  part("order").addEventListener("change", () => {
    arrange();
    show(true);
  });
  const actions = { n: () => step(1), p: () => step(-1), o: () => nextOption("order"), ...keys };
  root.addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  return { data, part, arrange, nextOption, dialogue: () => data.dialogues[state.order[state.place]],
    place: () => `${state.place + 1} of ${state.order.length}` };
}
