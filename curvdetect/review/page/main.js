// Connects the parts: what follows from each action of a person.

let byPointer = false;

function focusCurrent() {
  cards.get(current)?.firstChild.focus({ preventScroll: true });
}

// Takes a suspect under review. The focus goes along where it was on a card, or nowhere.
function select(number) {
  const follow = $("grid").contains(document.activeElement) || document.activeElement === document.body;
  current = number;
  drawGrid();
  scrollToCurrent();
  drawGrid();
  drawDetail();
  if (follow) focusCurrent();
}

function open(number) {
  select(number);
  openPanel();
}

function walk(step) {
  const at = placeOf(current);
  const wanted = at < 0 ? 0 : at + step;
  if (wanted >= 0 && wanted < shown.length) select(shown[wanted]);
  else if (at >= 0) say(step > 0 ? "This is the last suspect." : "This is the first suspect.");
}

// Notes a verdict and goes on to the next suspect in the list before the verdict.
function give(verdict) {
  const at = placeOf(current);
  if (at < 0) return;
  const code = verdict === "wrong" ? Number(instead.value) : undefined;
  const before = current;
  judge(current, verdict, code);
  const next = shown[at + 1] ?? current;
  refresh();
  select(shown.includes(next) ? next : (shown[Math.min(at, shown.length - 1)] ?? -1));
  const label = verdict === "wrong" ? `, it is ${visible(verdictOf(before).label)}` : "";
  say(`${VERDICTS[verdict].text}${label}. ${tally().all} of ${everyone.length} reviewed. ${current < 0 ? "" : describe(current)}`);
}

// Another label chosen from the list is a verdict too; the suspect stays under review.
function relabel(code) {
  judge(current, "wrong", code);
  refresh();
  select(current);
  say(`Wrong, it is ${nameOf(code)}.`);
}

function takeBack() {
  const number = undo();
  if (number === null) return say("Nothing to undo.");
  refresh();
  select(shown.includes(number) ? number : current);
  say(`Undone. ${describe(number)}`);
}

// Draws everything anew after a verdict or another choice.
function refresh() {
  shown = chosen();
  const counts = tally();
  $("done").value = counts.all;
  $("done").max = Math.max(1, everyone.length);
  const parts = Object.keys(VERDICTS).filter((one) => counts[one]).map((one) => `${counts[one]} ${one}`);
  $("tally").textContent = `${counts.all} of ${everyone.length} reviewed${parts.length ? `: ${parts.join(", ")}` : ""}`;
  $("export").disabled = counts.all === 0;
  $("lost").hidden = kept;
  $("undo").disabled = past.length === 0;
  $("count").textContent = shown.length === everyone.length
    ? `${everyone.length.toLocaleString("en")} suspects` : `${shown.length} of ${everyone.length} suspects`;
  if (!shown.includes(current)) current = shown[0] ?? -1;
  showChoice();
  showPicked();
  drawGrid();
}

function choose(changes) {
  Object.assign(choice, changes);
  $("scroller").scrollTop = 0;
  current = -1;
  refresh();
  drawDetail();
  say($("count").textContent);
}

// After a choice by mouse the keys are verdicts again; after a choice by keyboard the focus stays in the field.
function backToCards() {
  if (byPointer && !narrow.matches) focusCurrent();
}

function listen() {
  document.addEventListener("pointerdown", () => (byPointer = true), true);
  document.addEventListener("keydown", () => (byPointer = false), true);
  for (const field of ["given", "suggested", "signal", "share", "verdict", "sort"]) {
    $(field).addEventListener("change", () => {
      choose({ [field]: $(field).value });
      backToCards();
    });
  }
  $("find").addEventListener("input", () => choose({ find: $("find").value }));
  $("order").addEventListener("click", () => choose({ reverse: !choice.reverse }));
  $("reset").addEventListener("click", () => choose({ ...START, sort: choice.sort, reverse: choice.reverse }));
  $("choice").addEventListener("submit", (event) => event.preventDefault());
  $("fold").addEventListener("click", () => {
    const unfolded = $("choice").classList.toggle("unfolded");
    $("fold").setAttribute("aria-expanded", String(unfolded));
  });
  $("size").addEventListener("input", () => resizeCards(Number($("size").value)));
  $("size").addEventListener("change", backToCards);
  instead.addEventListener("change", backToCards);
  $("undo").addEventListener("click", takeBack);
  $("export").addEventListener("click", exportVerdicts);
  $("help").addEventListener("click", () => $("shortcuts").showModal());
  $("zoomed").addEventListener("load", sharpen);
  $("zoom").addEventListener("click", (event) => event.target.closest("form") || $("zoom").close());
  $("scroller").addEventListener("scroll", drawGrid, { passive: true });
  const resized = new ResizeObserver(drawGrid);
  for (const id of ["scroller", "overview"]) resized.observe($(id));
  $("overview").addEventListener("toggle", () => remember(OPENED, $("overview").open));
  $("matrix").addEventListener("keydown", onMatrixKey);
  $("matrix").addEventListener("focusin", ({ target }) => stopAt(target));
  narrow.addEventListener("change", closePanel);
  document.addEventListener("keydown", onKey);
  window.addEventListener("beforeunload", (event) => {
    if (!kept && !exported) event.preventDefault();
  });
}

$("title").textContent = visible(report.title);
$("about").textContent = `${report.detector} · ${report.classes.length} classes · ${report.signals.length} signals`;
$("note").hidden = !report.note;
$("note").textContent = visible(report.note ?? "");
takeUp();
fillChoices();
fillKeys();
drawOverview();
listen();
size = recall(SIZE) ?? (everyone.length && report.kind === "pictures" ? 112 : 132);
resizeCards(Number(size) || 112);
refresh();
select(current);
$("scroller").scrollTop = 0; // the overview first
