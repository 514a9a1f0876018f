(() => {
  "use strict";
  const list = document.querySelector(".docs"), rows = [...list.children], bar = document.getElementById("find");
  const field = name => document.getElementById("find-" + name);
  const text = field("text"), right = field("right"), answer = field("answer"), own = field("own"), order = field("order");
  const found = document.getElementById("found");
  const read = rows.map(() => null);
  let words = null, asked = false;
  bar.hidden = false;
  bar.addEventListener("submit", event => event.preventDefault());

  // in a folder the words of the documents come in a file of their own, when somebody looks for one
  window.textlrpWords = (forms, places) => {
    words = forms.map((form, n) => [form, places[n]]);
    show();
  };
  const load = () => {
    if (asked || !bar.dataset.words) return;
    asked = true;
    const script = document.createElement("script");
    script.src = bar.dataset.words;
    document.body.append(script);
  };
  const having = word => {
    const hits = new Set();
    for (const [form, places] of words) {
      if (!form.startsWith(word)) continue;
      let position = -1;
      for (const step of places.split(" ")) hits.add(position += parseInt(step, 36));
    }
    return hits;
  };
  const contains = () => {
    const asked = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = words ? asked.map(having) : [];
    return (row, n) => asked.every((word, k) => {
      read[n] = read[n] || row.textContent.toLowerCase();
      return read[n].includes(word) || (hits[k] && hits[k].has(+row.dataset.n));
    });
  };
  const show = () => {
    const matches = contains();
    let count = 0;
    rows.forEach((row, n) => {
      const { p, g } = row.dataset;
      const shown = (!right || !right.value || (g >= 0 && (p === g) === (right.value === "1")))
        && (!answer.value || p === answer.value) && (!own || !own.value || g === own.value) && matches(row, n);
      row.hidden = !shown;
      count += shown;
    });
    found.textContent = count === rows.length ? "" : count.toLocaleString("en") + " of " + rows.length.toLocaleString("en");
  };
  const sort = () => {
    const by = { n: (a, b) => a.dataset.n - b.dataset.n, s: (a, b) => b.dataset.s - a.dataset.s,
      "-s": (a, b) => a.dataset.s - b.dataset.s }[order.value];
    list.append(...(by ? [...rows].sort(by) : rows));
  };
  const follow = () => {
    const cell = /^#c(\d+)-(\d+)$/.exec(location.hash);
    if (!cell || !own) return;
    text.value = right.value = "";
    own.value = cell[1];
    answer.value = cell[2];
    show();
    document.getElementById("documents").scrollIntoView();
  };
  text.addEventListener("focus", load);
  text.addEventListener("input", () => { load(); show(); });
  for (const each of [right, answer, own]) if (each) each.addEventListener("change", show);
  order.addEventListener("change", sort);
  addEventListener("hashchange", follow);
  follow();
})();
