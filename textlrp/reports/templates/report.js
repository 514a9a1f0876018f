(() => {
  "use strict";
  const list = document.querySelector(".docs"), rows = [...list.children], bar = document.getElementById("find");
  const field = name => document.getElementById("find-" + name);
  const text = field("text"), correct = field("correct"), predicted = field("predicted"), trueLabel = field("true"), order = field("order");
  const found = document.getElementById("found"), more = document.getElementById("more");
  const STEP = 200;  // rows shown at first and added by "Show more": thousands of visible rows make every change slow
  const rowTexts = rows.map(() => null);
  let words = null, requested = false, limit = STEP;
  bar.hidden = false;
  list.classList.add("live");
  bar.addEventListener("submit", event => event.preventDefault());

  // in a report folder, the words of all documents are in words.js, which is loaded when the search field is used
  window.textlrpWords = (forms, documents) => {
    words = forms.map((form, n) => [form, documents[n]]);
    refilter();
  };
  const load = () => {
    if (requested || !bar.dataset.words) return;
    requested = true;
    const script = document.createElement("script");
    script.src = bar.dataset.words;
    document.body.append(script);
  };
  const documentsWith = word => {
    const hits = new Set();
    for (const [form, documents] of words) {
      if (!form.startsWith(word)) continue;
      let position = -1;
      for (const step of documents.split(" ")) hits.add(position += parseInt(step, 36));
    }
    return hits;
  };
  const contains = () => {
    const query = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = words ? query.map(documentsWith) : [];
    return (row, n) => query.every((word, k) => {
      rowTexts[n] = rowTexts[n] || row.textContent.toLowerCase();
      return rowTexts[n].includes(word) || (hits[k] && hits[k].has(+row.dataset.n));
    });
  };
  const has = (labels, one) => labels.split(" ").includes(one);  // a multi-label document has several
  const show = () => {
    const matches = contains(), matching = new Map();
    let count = 0;
    rows.forEach((row, n) => {
      const { p, t } = row.dataset;
      const shown = (!correct || !correct.value || (t !== "-1" && (p === t) === (correct.value === "1")))
        && (!predicted.value || has(p, predicted.value)) && (!trueLabel || !trueLabel.value || has(t, trueLabel.value))
        && matches(row, n);
      matching.set(row, shown);
      count += shown;
    });
    let visible = 0;
    for (const row of list.children) row.hidden = !(matching.get(row) && visible++ < limit);
    found.textContent = count === rows.length ? "" : count.toLocaleString("en") + " of " + rows.length.toLocaleString("en");
    more.hidden = count <= limit;
    more.textContent = "Show more (" + Math.min(limit, count).toLocaleString("en") + " of " + count.toLocaleString("en") + " shown)";
  };
  const refilter = () => {
    limit = STEP;
    show();
  };
  const sort = () => {
    const by = { n: (a, b) => a.dataset.n - b.dataset.n, c: (a, b) => b.dataset.c - a.dataset.c,
      "-c": (a, b) => a.dataset.c - b.dataset.c }[order.value];
    list.append(...(by ? [...rows].sort(by) : rows));
    refilter();
  };
  const follow = () => {
    const cell = /^#c(\d+)-(\d+)$/.exec(location.hash);
    if (cell && trueLabel) {
      text.value = correct.value = "";
      [trueLabel.value, predicted.value] = [cell[1], cell[2]];
      refilter();
      document.getElementById("documents").scrollIntoView();
    }
    const target = /^#d\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
    const row = target && target.closest("li");
    if (!row) return;
    if (row.hidden) {
      for (const each of [text, correct, predicted, trueLabel]) if (each) each.value = "";
      limit = Math.max(STEP, [...list.children].indexOf(row) + 1);
      show();
    }
    const folded = row.querySelector("details");  // a report without texts has none
    if (folded) folded.open = true;
    target.scrollIntoView();
  };
  text.addEventListener("focus", load);
  text.addEventListener("input", () => { load(); refilter(); });
  more.addEventListener("click", () => { limit += STEP; show(); });
  for (const each of [correct, predicted, trueLabel]) if (each) each.addEventListener("change", refilter);
  order.addEventListener("change", sort);
  addEventListener("hashchange", follow);
  show();
  follow();
})();
