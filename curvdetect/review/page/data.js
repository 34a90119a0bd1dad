// The data of the page. The number of a suspect is its rank less one; the index of a sample, its place in the data.

const report = JSON.parse($("data").textContent);
$("data").remove(); // megabytes of text that are not needed twice

const { suspects } = report;
const everyone = suspects.index.map((_, number) => number);

const classText = (code) => report.classes[code];
const nameOf = (code) => visible(classText(code)) || "(empty)";
const pathOf = (number) => (suspects.path ? suspects.path[number] : "");
const shareOf = (signal, number) => suspects.shares[signal][number];
const pictureOf = (index) => report.pictures?.[index];
const textOf = (index) => report.texts?.[index];
const rowOf = (index) => report.rows?.[index];
const readable = (signal) => visible(signal).replaceAll("_", " ");

// The share of samples that a signal ranks at least as high: 0.01 means among the worst hundredth.
const topShare = (share) => 1 - share + 1 / report.n_samples;

function describe(number) {
  const given = nameOf(suspects.given[number]);
  const suggested = nameOf(suspects.suggested[number]);
  return `Suspect ${number + 1}: given ${given}, suggested ${suggested}`;
}
