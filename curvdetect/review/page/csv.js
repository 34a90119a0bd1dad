// Verdicts as a CSV file. A cell that a spreadsheet could take for a formula stays text there, and `apply_verdicts`
// gets the value back: an apostrophe goes before it, backslashes are doubled, and characters that UTF-8 can't hold
// become \uXXXX. A cell that starts with an apostrophe itself is written likewise.

const STRANGE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const TEMPTING = /^[\s\x1c-\x1f\x85]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n'\ufeff]/;

function protectedCell(text) {
  if (!TEMPTING.test(text) && text.search(STRANGE) < 0) return text;
  const code = (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `'${text.replaceAll("\\", "\\\\").replace(STRANGE, code)}`;
}

function cell(value) {
  const text = typeof value === "number" ? String(value) : protectedCell(value);
  return /[",;\t\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvOf(rows) {
  // the mark tells spreadsheets that this is UTF-8
  return `\ufeff${rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("")}`;
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
