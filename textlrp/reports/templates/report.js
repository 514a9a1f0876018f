(() => {
  "use strict";
  const list = document.querySelector(".docs"), rows = [...list.children], bar = document.getElementById("find");
  const field = name => document.getElementById("find-" + name);
  const text = field("text"), right = field("right"), answer = field("answer"), own = field("own"), order = field("order");
  const found = document.getElementById("found"), more = document.getElementById("more");
  const STEP = 200;  // rows laid out at once: thousands would make every change slow
  const read = rows.map(() => null);
  let words = null, asked = false, most = STEP;
  bar.hidden = false;
  list.classList.add("live");
  bar.addEventListener("submit", event => event.preventDefault());

  // in a folder the words of the documents come in a file of their own, when somebody looks for one
  window.textlrpWords = (forms, places) => {
    words = forms.map((form, n) => [form, places[n]]);
    refilter();
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
    const matches = contains(), matching = new Map();
    let count = 0;
    rows.forEach((row, n) => {
      const { p, g } = row.dataset;
      const shown = (!right || !right.value || (g >= 0 && (p === g) === (right.value === "1")))
        && (!answer.value || p === answer.value) && (!own || !own.value || g === own.value) && matches(row, n);
      matching.set(row, shown);
      count += shown;
    });
    let visible = 0;
    for (const row of list.children) row.hidden = !(matching.get(row) && visible++ < most);
    found.textContent = count === rows.length ? "" : count.toLocaleString("en") + " of " + rows.length.toLocaleString("en");
    more.hidden = count <= most;
    more.textContent = "Show more: " + Math.min(most, count).toLocaleString("en") + " of " + count.toLocaleString("en") + " are shown";
  };
  const refilter = () => {
    most = STEP;
    show();
  };
  const sort = () => {
    const by = { n: (a, b) => a.dataset.n - b.dataset.n, s: (a, b) => b.dataset.s - a.dataset.s,
      "-s": (a, b) => a.dataset.s - b.dataset.s }[order.value];
    list.append(...(by ? [...rows].sort(by) : rows));
    refilter();
  };
  const follow = () => {
    const cell = /^#c(\d+)-(\d+)$/.exec(location.hash);
    if (cell && own) {
      text.value = right.value = "";
      [own.value, answer.value] = [cell[1], cell[2]];
      refilter();
      document.getElementById("documents").scrollIntoView();
    }
    const target = /^#d\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
    const row = target && target.closest("li");
    if (!row) return;
    if (row.hidden) {
      for (const each of [text, right, answer, own]) if (each) each.value = "";
      most = Math.max(STEP, [...list.children].indexOf(row) + 1);
      show();
    }
    row.querySelector("details").open = true;
    target.scrollIntoView();
  };
  text.addEventListener("focus", load);
  text.addEventListener("input", () => { load(); refilter(); });
  more.addEventListener("click", () => { most += STEP; show(); });
  for (const each of [right, answer, own]) if (each) each.addEventListener("change", refilter);
  order.addEventListener("change", sort);
  addEventListener("hashchange", follow);
  show();
  follow();
})();
