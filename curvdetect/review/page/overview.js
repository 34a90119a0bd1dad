// The classes above the suspects: the share of each that is flagged, and how often a class is suggested for another.
// A number shows only its suspects, by the same choice as the lists of classes.

const OTHER = "other"; // stands for all classes without a line of their own
const LINES = 20;
const OPENED = "curvdetect:overview";
const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
const named = mostFrequent();
const board = []; // buttons by row and column; null where a pair has no suspect

// The classes with most suspects, as given or as suggested ones; one class more is named rather than called others.
function mostFrequent() {
  const counts = countBy([...suspects.given, ...suspects.suggested]);
  if (counts.length > LINES + 1) counts.sort(([, a], [, b]) => b - a).length = LINES;
  return new Set(counts.map(([code]) => code));
}

const lineOf = (code) => (named.has(code) ? code : OTHER);
const lineName = (line) => (line === OTHER ? "other" : nameOf(line));
const linesOf = (counts) => [...counts.keys()].sort((a, b) => (a === OTHER) - (b === OTHER) || a - b);
const sum = (values) => values.reduce((all, value) => all + value, 0);
const count = (n) => n.toLocaleString("en");

function drawOverview() {
  const [given, suggested] = [suspects.given.map(lineOf), suspects.suggested.map(lineOf)];
  const [ofRow, ofColumn] = [new Map(countBy(given)), new Map(countBy(suggested))];
  const pairs = new Map(countBy(everyone.map((number) => `${given[number]} ${suggested[number]}`)));
  if (pairs.size < 2) return;
  const [rows, columns] = [linesOf(ofRow), linesOf(ofColumn)];
  const most = Math.max(1, ...[...pairs].filter(([pair]) => !pair.includes(OTHER)).map(([, n]) => n));
  const longest = Math.max(...rows.map((line) => report.by_class.high[line] ?? 0));

  board.push([null, ...columns.map((line) => pick("", line, ofColumn.get(line), bdi(lineName(line))))]);
  for (const row of rows) {
    const cells = columns.map((column) => {
      const n = pairs.get(`${row} ${column}`);
      if (!n) return null;
      const button = pick(row, column, n, count(n));
      button.style.setProperty("--heat", `${Math.round(8 + 40 * Math.min(1, Math.sqrt(n / most)))}%`);
      return button;
    });
    board.push([pick(row, "", ofRow.get(row), bdi(lineName(row))), ...cells]);
  }
  const turned = columns.some((line) => lineName(line).length > 3) ? "turned" : null;
  $("matrix").append(
    el("thead", {},
      el("tr", {}, ...["given", "flagged", "share"].map((name) => el("th", { scope: "col", rowspan: 2 }, name)),
        el("th", { scope: "colgroup", colspan: columns.length }, "suggested")),
      el("tr", { class: turned }, ...board[0].slice(1).map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...board.slice(1).map(([head, ...cells], i) =>
      el("tr", {}, el("th", { scope: "row" }, head), ...shareOfClass(rows[i], longest), ...cells.map((cell) => el("td", {}, cell))))));
  describeOverview();
  stopAt(board[1][0]);
  $("overview").open = recall(OPENED) ?? !narrow.matches;
  $("overview").hidden = false;
}

// A button that shows the suspects of a given class, of a suggested class, or of a pair; pressed again, all.
function pick(given, suggested, n, content) {
  const asked = [["given", given], ["suggested", suggested]].filter(([, line]) => line !== "");
  const button = el("button", {
    type: "button", "data-given": given, "data-suggested": suggested,
    "aria-label": `${count(n)} suspects, ${asked.map(([kind, line]) => `${kind} ${lineName(line)}`).join(", ")}`,
    onclick: () => {
      choose(isPressed(button) ? { given: "", suggested: "" } : { ...button.dataset });
      backToCards();
    },
  }, content);
  return button;
}

function isPressed({ dataset }) {
  return dataset.given === choice.given && dataset.suggested === choice.suggested;
}

// The cells of a line about all of its samples; the classes without one of their own have no interval.
function shareOfClass(line, longest) {
  const { flagged, samples, low, high } = report.by_class;
  const [hits, all] = [flagged, samples].map((values) => sum(values.filter((_, code) => lineOf(code) === line)));
  const parts = [el("b", {}, percent(hits / all))];
  if (line !== OTHER) {
    const at = (share) => `${(100 * share) / longest}%`;
    const [bar, range, mean] = ["bar", "range", "mean"].map((name) => el("i", { class: name }));
    bar.style.width = at(hits / all);
    [range.style.left, range.style.width] = [at(low[line]), at(high[line] - low[line])];
    mean.style.left = at(sum(flagged) / report.n_samples);
    parts.unshift(el("span", { class: "extent", "aria-hidden": "true" }, bar, range, mean));
    parts.push(el("small", {}, `${percent(low[line]).replace(" %", "")} to ${percent(high[line])}`));
  }
  return [el("td", { class: "of" }, `${count(hits)} of ${count(all)}`), el("td", {}, el("span", { class: "share" }, ...parts))];
}

function describeOverview() {
  const flagged = sum(report.by_class.flagged);
  const pairs = countBy(everyone.map((number) => `${suspects.given[number]} ${suspects.suggested[number]}`));
  const [pair, n] = pairs.reduce((best, one) => (one[1] > best[1] ? one : best));
  const [given, suggested] = pair.split(" ").map((code) => bdi(classText(code)));
  const share = percent(flagged / report.n_samples);
  $("gist").append(`${count(flagged)} of ${count(report.n_samples)} flagged, ${share}; most often `, given, " → ", suggested, ` (${count(n)})`);
  const part = flagged === everyone.length ? "" : ` Numbers are of the ${count(everyone.length)} suspects on this page.`;
  $("legend").append(
    "Share of each class that is flagged, with a 95 % interval", el("span", { class: "dashed" }, "; dashed: of all classes"),
    `. Press a number or a name for its suspects, again for all.${part}`);
}

function showPicked() {
  for (const button of board.flat()) button?.setAttribute("aria-pressed", String(isPressed(button)));
}

// The table is one stop of the tab key; arrows go from number to number.
function stopAt(button) {
  for (const one of board.flat()) one?.setAttribute("tabindex", one === button ? 0 : -1);
}

function onMatrixKey(event) {
  if (!Object.hasOwn(STEPS, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  let row = board.findIndex((line) => line.includes(document.activeElement));
  let column = board[row].indexOf(document.activeElement);
  do {
    row += STEPS[event.key][0];
    column += STEPS[event.key][1];
  } while (board[row]?.[column] === null);
  board[row]?.[column]?.focus();
}
