// Which suspects are shown, and in what order.

const TOP = [0.001, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5];
const choice = {};
const START = { given: "", suggested: "", signal: "", share: "0.05", verdict: "", sort: "rank", reverse: false, find: "" };
let shown = everyone;
Object.assign(choice, START);

function chosen() {
  const wanted = visible(choice.find).trim().toLowerCase();
  const fits = (number) => {
    const said = verdictOf(number)?.verdict ?? "none";
    return (
      isOf(choice.given, suspects.given[number]) &&
      isOf(choice.suggested, suspects.suggested[number]) &&
      (choice.signal === "" || topShare(shareOf(Number(choice.signal), number) ?? 0) <= Number(choice.share) + 1e-9) &&
      (choice.verdict === "" || choice.verdict === said) &&
      (wanted === "" || String(suspects.index[number]) === wanted || visible(pathOf(number)).toLowerCase().includes(wanted))
    );
  };
  const list = everyone.filter(fits);
  const key = sortKey();
  if (key) list.sort((a, b) => key(a) - key(b) || a - b);
  return choice.reverse ? list.reverse() : list;
}

// The values to sort by, smallest first; null where suspects are in that order already.
function sortKey() {
  if (choice.sort === "rank") return null;
  if (choice.sort === "index") return (number) => suspects.index[number];
  if (choice.sort === "given") return (number) => suspects.given[number];
  const signal = Number(choice.sort);
  return (number) => -(shareOf(signal, number) ?? -1);
}

// Says whether a class is the one that is asked for, by its code or as one of those that the overview doesn't name.
function isOf(wanted, code) {
  return wanted === "" || wanted === String(code) || wanted === lineOf(code);
}

function countBy(codes) {
  const counts = new Map();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a - b);
}

function fillChoices() {
  for (const field of ["given", "suggested"]) {
    const options = countBy(suspects[field]).map(([code, n]) => option(code, `${nameOf(code)} (${n})`));
    const others = suspects[field].filter((code) => lineOf(code) === OTHER).length;
    if (others) options.push(option(OTHER, `other classes (${others})`));
    $(field).append(option("", "any class"), ...options);
  }
  const signals = report.signals.map((name, signal) => option(signal, readable(name)));
  $("signal").append(option("", "any signal"), ...signals);
  $("share").append(...TOP.map((share) => option(share, `top ${100 * share} %`)));
  const states = Object.entries(VERDICTS).map(([name, { text }]) => option(name, text.toLowerCase()));
  $("verdict").append(option("", "any"), option("none", "to review"), ...states);
  const orders = [option("rank", "score"), option("index", "index"), option("given", "given label")];
  $("sort").append(...orders, ...signals.map((one) => one.cloneNode(true)));
  showChoice();
}

function showChoice() {
  for (const field of ["given", "suggested", "signal", "share", "verdict", "sort", "find"]) $(field).value = choice[field];
  $("share").disabled = choice.signal === "";
  $("order").setAttribute("aria-pressed", String(choice.reverse));
  const filters = ["given", "suggested", "signal", "verdict", "find"].filter((field) => choice[field] !== START[field]);
  $("reset").hidden = filters.length === 0;
  $("fold").textContent = filters.length ? `Filter and sort (${filters.length})` : "Filter and sort";
}
