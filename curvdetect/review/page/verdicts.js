// Verdicts: right, wrong (with another label) or unsure. They are kept by index and by the text of the label, so that
// another page on the same data shows them again.

const VERDICTS = {
  right: { sign: "✓", text: "Right", key: "R" },
  wrong: { sign: "✗", text: "Wrong", key: "W" },
  unsure: { sign: "?", text: "Unsure", key: "U" },
};
const PLACE = `curvdetect:${report.id}`;
const codeOf = new Map(report.classes.map((text, code) => [text, code]));
const verdicts = new Map(); // from index to {verdict, label}
const past = []; // the states that undo returns to
let kept = memory !== null;
let exported = true;

const verdictOf = (number) => verdicts.get(suspects.index[number]);

// The label that a suspect was found to have instead, as a code; undefined where it was not found wrong.
function newLabelOf(number) {
  const said = verdictOf(number);
  return said?.verdict === "wrong" ? codeOf.get(said.label) : undefined;
}

function judge(number, verdict, code = suspects.suggested[number]) {
  const index = suspects.index[number];
  past.push({ number, before: verdicts.get(index) });
  const label = { right: classText(suspects.given[number]), wrong: classText(code), unsure: "" }[verdict];
  verdicts.set(index, { verdict, label });
  keep();
}

// Takes the last verdict back; returns the number of its suspect, or null.
function undo() {
  const last = past.pop();
  if (!last) return null;
  const index = suspects.index[last.number];
  if (last.before) verdicts.set(index, last.before);
  else verdicts.delete(index);
  keep();
  return last.number;
}

function keep() {
  exported = false;
  kept = remember(PLACE, [...verdicts].map(([index, { verdict, label }]) => [index, verdict, label]));
}

function takeUp() {
  const saved = recall(PLACE);
  if (!Array.isArray(saved)) return;
  for (const entry of saved) {
    if (!Array.isArray(entry)) continue;
    const [index, verdict, label] = entry;
    const sound = Number.isInteger(index) && Object.hasOwn(VERDICTS, verdict) && typeof label === "string";
    if (sound && (verdict === "unsure" || codeOf.has(label))) verdicts.set(index, { verdict, label });
  }
}

function tally() {
  const counts = { right: 0, wrong: 0, unsure: 0, all: 0 };
  for (const number of everyone) {
    const said = verdictOf(number);
    if (said) counts[said.verdict] += 1, (counts.all += 1);
  }
  return counts;
}

function exportVerdicts() {
  const rows = everyone.filter(verdictOf).map((number) => {
    const { verdict, label } = verdictOf(number);
    const [given, suggested] = [suspects.given[number], suspects.suggested[number]].map(classText);
    return [suspects.index[number], pathOf(number), given, suggested, verdict, label];
  });
  download("verdicts.csv", csvOf([["index", "path", "given", "suggested", "verdict", "new_label"], ...rows]));
  exported = true;
  say(`${rows.length} verdicts exported to verdicts.csv`);
}
