// The parts of cards and of the panel: a sample, and bars of its signals.

// Shows the pixels of small pictures sharp rather than blurred.
const sharpen = ({ target }) => target.classList.toggle("small", Math.max(target.naturalWidth, target.naturalHeight) <= 64);

// A sample as a person can look at it: its picture, its text, the start of its row, or its index.
function look(index, alt) {
  const source = pictureOf(index);
  if (source) {
    return el("img", { class: "look", src: source, alt, decoding: "async", draggable: "false", onload: sharpen });
  }
  if (source === null) return el("span", { class: "look empty" }, "picture missing");
  const text = textOf(index);
  if (text !== undefined) return el("span", { class: "look text" }, el("bdi", {}, text.split(/\r?\n/).map(visible).join("\n")));
  const row = rowOf(index);
  if (!row) return el("span", { class: "look empty" }, `sample ${index}`);
  const lines = row.slice(0, linesShown()).map((value, i) => el("span", {}, bdi(report.columns[i]), " ", el("b", {}, String(value))));
  return el("span", { class: "look row" }, ...lines);
}

function zoomInto(index, title) {
  if (!pictureOf(index)) return;
  $("zoomed").src = pictureOf(index);
  $("zoomed").alt = title;
  $("zoom-title").textContent = title;
  $("zoom").showModal();
}

// A sample that opens large.
function zoomable(index, alt, className) {
  if (!pictureOf(index)) return look(index, alt);
  const attributes = { type: "button", class: `zoomable ${className}`, "aria-label": `Enlarge: ${alt}` };
  return el("button", { ...attributes, onclick: () => zoomInto(index, alt) }, look(index, ""));
}

function place(signal, number) {
  const share = shareOf(signal, number);
  return share === null ? "not measured" : `top ${percent(topShare(share))}`;
}

// One small bar for each signal: the share of samples it finds less suspect.
function sparks(number) {
  const bars = report.signals.map((name, signal) => {
    const bar = el("i", { title: `${readable(name)}: ${place(signal, number)}` });
    bar.style.height = `${Math.max(8, 100 * (shareOf(signal, number) ?? 0))}%`;
    return bar;
  });
  return el("span", { class: "sparks", "aria-hidden": "true" }, ...bars);
}

function bars(number) {
  const rows = report.signals.map((name, signal) => {
    const fill = el("i");
    fill.style.width = `${100 * (shareOf(signal, number) ?? 0)}%`;
    return el("div", { class: "signal" }, el("dt", {}, bdi(readable(name))),
      el("dd", {}, el("span", { class: "bar", "aria-hidden": "true" }, fill), el("span", { class: "value" }, place(signal, number))));
  });
  return el("dl", { class: "signals" }, ...rows);
}

// The nearest samples of a class, where the data has them.
function alike(indices, code, className) {
  if (!indices || report.kind === "rows") return null;
  const name = nameOf(code);
  const pictures = indices.map((index) => el("li", {}, zoomable(index, `Sample ${index}, labelled ${name}`, "")));
  return el("figure", { class: `alike ${report.kind}` },
    el("figcaption", {}, "Nearest labelled ", bdi(classText(code), { class: className })),
    pictures.length ? el("ul", { role: "list" }, ...pictures) : el("p", { class: "quiet" }, "none"));
}

// A row beside the nearest of either class, column by column.
function rowTable(number) {
  const index = suspects.index[number];
  const given = suspects.alike_given?.[number][0];
  const suggested = suspects.alike_suggested?.[number][0];
  const rows = [
    ["this row", index],
    ["nearest", given, suspects.given[number], "given"],
    ["nearest", suggested, suspects.suggested[number], "suggested"],
  ].filter(([, one]) => one !== undefined);
  const heads = rows.map(([title, , code, className]) =>
    el("th", { scope: "col" }, title, className ? bdi(classText(code), { class: className }) : null));
  const lines = report.columns.map((name, i) =>
    el("tr", {}, el("th", { scope: "row" }, bdi(name)), ...rows.map(([, one]) => el("td", {}, String(rowOf(one)[i])))));
  const hidden = report.n_columns - report.columns.length;
  return el("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Values" },
    el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "column"), ...heads)), el("tbody", {}, ...lines)),
    hidden > 0 ? el("p", { class: "quiet" }, `and ${hidden} more columns`) : null);
}
