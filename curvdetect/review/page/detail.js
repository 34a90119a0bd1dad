// The suspect under review: its label, its signals and look-alikes, and the buttons for a verdict.

const narrow = window.matchMedia("(max-width: 820px)");
const instead = el("select", { id: "instead", onchange: () => relabel(Number(instead.value)) });
const NAMED = 400; // most classes that are all offered as another label

function drawDetail() {
  const panel = $("detail");
  const focused = panel.contains(document.activeElement) ? document.activeElement.id : "";
  const at = current < 0 ? -1 : placeOf(current);
  if (at < 0) {
    const text = everyone.length ? "No suspect fits the filters." : "There is no suspect.";
    panel.replaceChildren(el("h2", { id: "which", class: "quiet" }, text), el("div", { class: "close" }, closing()));
    return;
  }
  const index = suspects.index[current];
  const [given, suggested] = [suspects.given[current], suspects.suggested[current]];
  panel.replaceChildren(
    el("div", { class: "walk" },
      walkButton("previous", "‹", -1, at === 0),
      el("h2", { id: "which" }, `Suspect ${current + 1}`, el("small", {}, ` ${at + 1} of ${shown.length} shown`)),
      walkButton("next", "›", 1, at === shown.length - 1), closing()),
    report.kind === "rows" ? rowTable(current) : zoomable(index, describe(current), "large"),
    el("p", { class: "versus" },
      el("span", {}, el("small", {}, "given"), bdi(classText(given), { class: "label given" })),
      el("span", { class: "arrow", "aria-hidden": "true" }, "→"),
      el("span", {}, el("small", {}, "suggested"), bdi(classText(suggested), { class: "label suggested" }))),
    buttons(),
    el("p", { class: "relabel" }, el("label", { for: "instead" }, "If wrong, it is "), instead),
    ...[alike(suspects.alike_given?.[current], given, "given"), alike(suspects.alike_suggested?.[current], suggested, "suggested")].filter(Boolean),
    el("h3", {}, "Signals"), bars(current),
    facts(index),
  );
  fillInstead();
  if (focused) ($(focused) ?? panel).focus({ preventScroll: true });
}

function buttons() {
  const said = verdictOf(current)?.verdict;
  const made = Object.entries(VERDICTS).map(([verdict, { sign, text, key }]) =>
    el("button", {
      type: "button", id: `is-${verdict}`, class: `verdict ${verdict}`,
      "aria-pressed": String(said === verdict), "aria-keyshortcuts": key.toLowerCase(), onclick: () => give(verdict),
    }, el("span", { "aria-hidden": "true" }, sign), ` ${text}`, el("kbd", { "aria-hidden": "true" }, key)));
  return el("div", { class: "verdicts", role: "group", "aria-label": "Is the given label right?" }, ...made);
}

function facts(index) {
  const path = pathOf(current);
  return el("dl", { class: "facts" },
    el("dt", {}, "Score"), el("dd", {}, String(Number(suspects.score[current].toPrecision(5)))),
    el("dt", {}, "Index"), el("dd", {}, String(index)),
    path ? el("dt", {}, "Path") : null, path ? el("dd", { class: "path" }, bdi(path)) : null);
}

function walkButton(id, sign, step, last) {
  const label = `${id[0].toUpperCase()}${id.slice(1)} suspect`;
  return el("button", { type: "button", id, class: "round", "aria-label": label, disabled: last, onclick: () => walk(step) }, sign);
}

function closing() {
  return el("button", { type: "button", id: "close", class: "round close", "aria-label": "Back to the suspects", onclick: closePanel }, "×");
}

// Offers the other classes, the suggested one first; where classes are very many, only those that were suggested.
function fillInstead() {
  const [given, suggested] = [suspects.given[current], suspects.suggested[current]];
  const all = report.classes.length <= NAMED ? report.classes.map((_, code) => code) : countBy(suspects.suggested).map(([code]) => code);
  const others = all.filter((code) => code !== given && code !== suggested);
  const offer = (code) => option(code, nameOf(code));
  instead.replaceChildren(option(suggested, `${nameOf(suggested)} (suggested)`), ...others.map(offer));
  instead.value = String(newLabelOf(current) ?? suggested);
}

// On a small screen the panel covers the suspects; elsewhere it is always there.
function openPanel() {
  if (!narrow.matches) return;
  document.body.classList.add("reviewing");
  for (const part of [$("suspects"), $("choice"), document.querySelector("header")]) part.inert = true;
  $("detail").focus();
}

function closePanel() {
  document.body.classList.remove("reviewing");
  for (const part of [$("suspects"), $("choice"), document.querySelector("header")]) part.inert = false;
  focusCurrent();
}
