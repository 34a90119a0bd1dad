// Review by keyboard. Single keys can be turned off, since software that takes dictation may type them.

const KEYS = [
  ["R or 1", "the given label is right", "r1", () => give("right")],
  ["W or 2", "it is wrong", "w2", () => give("wrong")],
  ["U or 3", "unsure", "u3", () => give("unsure")],
  ["Z", "undo", "z", () => takeBack()],
  ["→ or J", "next suspect", "j", () => walk(1)],
  ["← or K", "previous suspect", "k", () => walk(-1)],
  ["↓ ↑", "one row down or up", "", null],
  ["Enter", "enlarge the picture", "", null],
  ["+ −", "larger or smaller thumbnails", "", null],
  ["F", "find by index or path", "f", () => $("find").focus()],
  ["E", "export the verdicts", "e", () => $("export").click()],
  ["?", "these shortcuts", "?", () => $("help").click()],
];
const MOVES = { ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: () => columns, ArrowUp: () => -columns };

function fillKeys() {
  for (const [keys, text] of KEYS) $("keys").append(el("dt", {}, ...keysOf(keys)), el("dd", {}, text));
  $("keeping").textContent = kept
    ? "Verdicts are kept in this browser. Export them to use them."
    : "This browser keeps nothing for this page: export your verdicts before you close it.";
}

const keysOf = (keys) => keys.split(" ").map((one) => (one === "or" ? " or " : el("kbd", {}, one)));

function onKey(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (target.matches("input, select, textarea")) {
    if (key === "Escape") focusCurrent();
    return;
  }
  if (key === "Escape") return document.body.classList.contains("reviewing") && closePanel();
  const action = actionOf(key, target);
  if (!action) return;
  event.preventDefault();
  action();
}

function actionOf(key, target) {
  const onButton = target.matches("button:not(.card)") || target.closest(".table");
  if (Object.hasOwn(MOVES, key)) return onButton && /Up|Down/.test(key) ? null : () => walk(MOVES[key]());
  if (key === "Enter" && target.matches(".card[aria-current]") && !narrow.matches) {
    return () => zoomInto(suspects.index[current], describe(current));
  }
  if (!$("single").checked || key.length !== 1) return null;
  if (key === "+" || key === "=") return () => resizeCards(size + 24);
  if (key === "-") return () => resizeCards(size - 24);
  return KEYS.find(([, , letters]) => letters.includes(key.toLowerCase()))?.[3] ?? null;
}
