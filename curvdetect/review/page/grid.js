// The suspects as cards. Only those in sight are in the document: ten thousand scroll like ten.

const GAP = 12;
const CAPTION = 74; // height of the text below a thumbnail
const LINE = 18; // height of a line of a row
const AROUND = 17; // height around these lines
const BEYOND = 2; // rows drawn above and below those in sight
const SIZE = "curvdetect:size";
const cards = new Map(); // from number to the card that is drawn
let size = 112; // least width of a card
let cardWidth = size;
let columns = 1;
let current = 0; // number of the suspect under review; -1 for none

const rowHeight = () => lookHeight() + CAPTION + GAP;

// Pictures stand in a square; rows take as many lines as there are columns, and room; texts take the room.
function lookHeight() {
  if (report.kind === "texts") return size;
  if (report.kind !== "rows") return cardWidth;
  return AROUND + LINE * linesShown();
}
// No line of a row is cut.
const linesShown = () => Math.min(report.columns.length, Math.max(1, Math.floor((size - AROUND) / LINE)));
// Height of what scrolls above the cards.
const above = () => $("grid").offsetTop - GAP;
const placeOf = (number) => shown.indexOf(number);

function resizeCards(wanted) {
  size = Math.min(256, Math.max(56, wanted));
  $("size").value = size;
  remember(SIZE, size);
  cards.forEach((card) => card.remove());
  cards.clear();
  drawGrid();
  scrollToCurrent();
}

function drawGrid() {
  const grid = $("grid");
  const width = grid.clientWidth;
  const narrowest = { pictures: Math.max(92, size), texts: 2 * size }[report.kind] ?? Math.max(150, size);
  columns = Math.max(1, Math.floor((width + GAP) / (narrowest + GAP)));
  cardWidth = Math.floor((width - GAP * (columns - 1)) / columns);
  grid.style.height = `${Math.ceil(shown.length / columns) * rowHeight()}px`;

  const { scrollTop, clientHeight } = $("scroller");
  const top = scrollTop - above();
  const first = Math.max(0, Math.floor(top / rowHeight()) - BEYOND) * columns;
  const last = Math.max(0, Math.ceil((top + clientHeight) / rowHeight()) + BEYOND) * columns;
  const wanted = new Map(shown.slice(first, last).map((number, i) => [number, first + i]));
  const at = current < 0 ? -1 : placeOf(current);
  if (at >= 0) wanted.set(current, at); // it may hold the focus, which must not get lost

  for (const [number, card] of cards) {
    if (wanted.has(number)) continue;
    card.remove();
    cards.delete(number);
  }
  let before = grid.firstChild; // cards stay in order for screen readers
  for (const [number, place] of [...wanted].sort((a, b) => a[1] - b[1])) {
    const card = cards.get(number) ?? makeCard(number);
    cards.set(number, card);
    if (card === before) before = before.nextSibling;
    else grid.insertBefore(card, before);
    card.style.width = `${cardWidth}px`;
    card.style.height = `${lookHeight() + CAPTION}px`;
    card.firstChild.firstChild.style.height = `${lookHeight()}px`;
    const [row, column] = [Math.floor(place / columns), place % columns];
    card.style.transform = `translate(${column * (cardWidth + GAP)}px, ${row * rowHeight()}px)`;
    card.setAttribute("aria-setsize", shown.length);
    card.setAttribute("aria-posinset", place + 1);
    paintCard(card, number);
  }
}

function makeCard(number) {
  const button = el("button", { type: "button", class: "card", onclick: () => open(number) });
  button.append(
    look(suspects.index[number], ""),
    el("span", { class: "mark", "aria-hidden": "true" }),
    el("span", { class: "names" }, bdi(classText(suspects.given[number]), { class: "given" })),
    el("span", { class: "names next" }),
    el("span", { class: "foot" }, el("span", { class: "rank" }, `#${number + 1}`), sparks(number)),
  );
  return el("li", { "data-number": number }, button);
}

// Brings a card up to date with its verdict and with the suspect under review.
function paintCard(card, number) {
  const button = card.firstChild;
  const said = verdictOf(number);
  const here = number === current;
  const state = `${here} ${said?.verdict} ${said?.label}`;
  if (card.dataset.state === state) return;
  card.dataset.state = state;
  button.className = `card ${said?.verdict ?? ""}`;
  button.tabIndex = here ? 0 : -1;
  if (here) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  const verdict = said ? VERDICTS[said.verdict].text.toLowerCase() : "not reviewed";
  const instead = said?.verdict === "wrong" ? `, now ${visible(said.label)}` : "";
  button.setAttribute("aria-label", `${describe(number)}, ${verdict}${instead}`);
  button.querySelector(".mark").textContent = said ? VERDICTS[said.verdict].sign : "";
  const next = newLabelOf(number) ?? suspects.suggested[number];
  button.querySelector(".next").replaceChildren(el("span", { class: "arrow" }, "→ "), bdi(classText(next), { class: "suggested" }));
}

function scrollToCurrent() {
  const place = placeOf(current);
  if (place < 0) return;
  const top = above() + Math.floor(place / columns) * rowHeight();
  const scroller = $("scroller");
  const low = top + rowHeight() - scroller.clientHeight;
  if (low > scroller.scrollTop) scroller.scrollTop = low;
  if (top < scroller.scrollTop) scroller.scrollTop = top; // last, for a window lower than a row
}
