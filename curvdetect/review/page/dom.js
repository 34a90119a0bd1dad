// Elements made of text: no markup is ever parsed, so that no name or path can become markup.

const $ = (id) => document.getElementById(id);

// Makes an element. Children that are strings become text; `on…` are listeners; null and false leave an attribute out.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Shows invisible characters: control characters as their pictures, and characters that turn the direction of writing
// and lone surrogates as the sign for "no character". The text becomes one line.
function visible(text) {
  return text
    .replace(/[\u0000-\u001f]/g, (sign) => String.fromCharCode(0x2400 + sign.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g, "\ufffd")
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}

// A name as text that does not change the direction of writing around it.
const bdi = (text, attributes = {}) => el("bdi", { title: visible(text), ...attributes }, visible(text) || "(empty)");

function option(value, text) {
  return el("option", { value }, text);
}

function percent(share) {
  const digits = share >= 0.1 ? 0 : share >= 0.01 ? 1 : 2;
  return `${(100 * share).toFixed(digits)} %`;
}

// Tells a screen reader, without interrupting it.
function say(text) {
  $("said").textContent = text;
}

// Storage between visits. A page opened from a file may have none: values then last as long as the page.
const memory = (() => {
  try {
    const place = window.localStorage;
    place.setItem("curvdetect", "1");
    place.removeItem("curvdetect");
    return place;
  } catch {
    return null;
  }
})();

function remember(key, value) {
  try {
    memory?.setItem(key, JSON.stringify(value));
    return memory !== null;
  } catch {
    return false;
  }
}

function recall(key) {
  try {
    return JSON.parse(memory?.getItem(key) ?? "null");
  } catch {
    return null;
  }
}
