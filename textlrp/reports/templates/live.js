(() => {
  "use strict";
  const $ = id => document.getElementById(id);
  const main = $("live"), text = $("text"), results = $("results"), status = $("status"), message = $("message");
  const models = JSON.parse(main.dataset.models), workspace = document.querySelector(".workspace");
  const [model, second, target, versus, rule] = ["model", "second", "target", "versus", "rule"].map($);
  const MAX_FILE = 1_000_000;  // bytes
  const [SHORTEST, LONGEST] = [8, 400];  // milliseconds from a key to its request while another request is on its way
  let off = [];  // ranges [start, end) of the words that are switched off, in UTF-16 units of the text
  let previous = "", composing = false, timer = 0, retries = 0, pace = SHORTEST, token = "", announced = "";
  let panes = [], kept = null;

  // ---- characters: the service counts code points, the text field UTF-16 units

  const points = (string, units) => {
    let count = 0;
    for (let n = 0; n < units; n++, count++) if (string.codePointAt(n) > 0xffff) n++;
    return count;
  };
  const units = (string, count) => {
    let n = 0;
    for (; count > 0 && n < string.length; count--) n += string.codePointAt(n) > 0xffff ? 2 : 1;
    return n;
  };
  const wellFormed = string => string.toWellFormed ? string.toWellFormed() : string;
  const isLetter = character => /[\p{L}\p{M}\p{N}_]/u.test(character || "");

  // move the ranges along with an edit; a word that the edit changes is on again
  const moveRanges = (before, after) => {
    if (!off.length || before === after) return;
    const limit = Math.min(before.length, after.length);
    let start = 0, tail = 0;
    while (start < limit && before[start] === after[start]) start++;
    while (tail < limit - start && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
    const end = before.length - tail, moved = after.length - before.length;
    off = off.flatMap(([from, to]) => {
      if (to < start || (to === start && !isLetter(after[start]))) return [[from, to]];
      if (from > end || (from === end && !isLetter(after[end + moved - 1]))) return [[from + moved, to + moved]];
      return [];
    });
  };

  // ---- settings and their link

  const fill = (select, options, value) => {
    select.replaceChildren(...options.map(([key, name]) => new Option(name, key)));
    select.value = value;
    if (select.selectedIndex < 0) select.selectedIndex = 0;
  };
  const chosen = () => models[+model.value];
  const labelOf = select => select.value === "" ? null : chosen().labels[+select.value];
  const indexOf = label => label === null || !chosen().labels.includes(label) ? "" : String(chosen().labels.indexOf(label));
  const fillSettings = ({ target: explained, versus: other, rule: name, second: compared }) => {
    const kind = chosen().multilabel ? "label" : "class", labels = chosen().labels.map((label, n) => [String(n), label]);
    fill(target, [["", chosen().multilabel ? "the highest label" : "the predicted class"], ...labels], indexOf(explained));
    fill(versus, [["", `any other ${kind}`], ...labels], explained === other ? "" : indexOf(other));
    fill(rule, [["", `default (${chosen().default_rule})`], ...chosen().rules.map(each => [each, each])], name);
    const others = models.map((each, n) => [String(n), each.name]).filter(([n]) => n !== model.value);
    fill(second, [["", "no other model"], ...others], compared);
  };
  const settings = () => ({ target: labelOf(target), versus: labelOf(versus), rule: rule.value, second: second.value });
  const writeLink = () => {
    const link = new URLSearchParams();
    if (models.length > 1) link.set("model", chosen().name);
    if (second.value) link.set("second", models[+second.value].name);
    if (target.value) link.set("target", labelOf(target));
    if (versus.value) link.set("versus", labelOf(versus));
    if (rule.value) link.set("rule", rule.value);
    history.replaceState(null, "", "#" + link);
    $("link").href = "#" + link;
  };
  const readLink = () => {
    const link = new URLSearchParams(location.hash.slice(1));
    const named = name => models.findIndex(each => each.name === link.get(name));
    model.value = String(Math.max(0, named("model")));
    const compared = named("second") < 0 ? "" : String(named("second"));
    fillSettings({ target: link.get("target"), versus: link.get("versus"), rule: link.get("rule") || "", second: compared });
    useSettings();
  };
  const useSettings = () => {
    const used = [chosen(), ...(second.value ? [models[+second.value]] : [])];
    if (used.length !== panes.length || used.some((each, n) => each !== panes[n].model)) {
      panes.forEach(stop);
      panes = used.map(makePane);
      results.replaceChildren(...panes.map(pane => pane.element));
      workspace.classList.toggle("one", used.length === 1);
      workspace.classList.toggle("two", used.length === 2);
    }
    kept = settings();
    writeLink();
    update();
  };
  const makePane = (each, n, all) => {
    const element = document.createElement("section"), title = document.createElement("h2"), body = document.createElement("div");
    element.className = "pane";
    body.className = "answer";
    title.textContent = all.length > 1 ? each.name : "";
    element.setAttribute("aria-label", `Explanation by ${each.name}`);
    element.append(title, body);
    return { model: each, element, body, turn: 0, control: null, sent: null, found: "", word: "" };
  };

  // ---- requests

  const bodyOf = (pane, value) => {
    const { labels, rules } = pane.model, explained = labelOf(target), other = labelOf(versus);
    const known = label => label !== null && labels.includes(label);
    const skip = off.map(([from, to]) => [points(value, from), points(value, to)]).sort((a, b) => a[0] - b[0]);
    const asked = { model: pane.model.name, texts: skip.length ? [value, { text: value, skip }] : [value], target: null };
    if (known(explained)) asked.target = known(other) ? { target: explained, versus: other } : [explained];
    if (rule.value && rules.includes(rule.value)) asked.rule = rule.value;
    return [asked, skip];
  };
  const stop = pane => {
    if (pane.control) pane.control.abort();
    pane.control = null;
    pane.turn++;
    setBusy(pane, false);
  };
  const setBusy = (pane, busy) => {
    clearTimeout(pane.waiting);
    pane.element.removeAttribute("aria-busy");
    pane.element.classList.remove("busy");
    if (busy) {
      pane.element.setAttribute("aria-busy", "true");
      pane.waiting = setTimeout(() => pane.element.classList.add("busy"), 250);
    }
    $("busy").textContent = panes.some(isBusy) && !panes.some(each => each.sent) ? "explaining …" : "";
  };
  const isBusy = pane => pane.element.hasAttribute("aria-busy");
  const ask = async pane => {
    stop(pane);
    const turn = pane.turn, value = wellFormed(text.value), began = performance.now(), [asked, skip] = bodyOf(pane, value);
    const headers = { "Content-Type": "application/json", Accept: "text/html" };
    if (token) headers.Authorization = "Bearer " + token;
    pane.control = new AbortController();
    setBusy(pane, true);
    let answer, content;
    try {
      answer = await fetch("v1/explain", { method: "POST", headers, body: JSON.stringify(asked), signal: pane.control.signal, cache: "no-store" });
      content = await answer.text();
    } catch (error) {
      if (turn !== pane.turn) return;  // aborted: a newer request was sent
      setBusy(pane, false);
      tryAgain(pane, navigator.onLine ? "The service does not answer." : "This computer is offline.", 2 ** Math.min(retries, 5));
      return;
    }
    if (turn !== pane.turn) return;
    setBusy(pane, false);
    pace = Math.min(LONGEST, Math.max(SHORTEST, 0.5 * pace + 0.25 * (performance.now() - began)));
    if (answer.ok && content.includes('class="explained"')) {
      retries = 0;
      show(pane, content, { value, skip });
      if (panes.every(each => !each.failed)) report("");
    } else failed(pane, answer, content);
  };
  const failed = (pane, answer, content) => {
    let problem = {};
    try {
      problem = JSON.parse(content);
    } catch { /* an answer of something between this page and the service */ }
    const reason = [problem.detail, problem.title].find(part => typeof part === "string" && part) || `The service answered ${answer.status}.`;
    if (answer.status === 503) return tryAgain(pane, "The service is busy.", Math.min(60, Number(answer.headers.get("Retry-After")) || 1));
    pane.failed = true;
    pane.element.classList.add("stale");
    if (answer.status === 401) {
      report(token ? "The service did not accept this token. Enter another one." : "The service needs an access token. Enter it below.");
      token = "";
      $("token").hidden = false;
    } else report(reason);
  };
  const tryAgain = (pane, reason, seconds) => {
    pane.failed = true;
    pane.element.classList.add("stale");
    retries++;
    report(`${reason} Your text is kept; the page tries again in ${seconds} second${seconds === 1 ? "" : "s"}.`);
    clearTimeout(timer);
    timer = setTimeout(update, 1000 * seconds);
  };
  const report = sentence => {
    if (message.textContent !== sentence) message.textContent = sentence;
  };
  const update = () => {
    clearTimeout(timer);
    moveRanges(previous, text.value);
    previous = text.value;
    const blank = !text.value.trim();
    main.classList.toggle("blank", blank);
    if (!blank) return panes.forEach(ask);
    off = [];
    report("");
    for (const pane of panes) {
      stop(pane);
      pane.body.replaceChildren();
      pane.sent = null;
    }
  };
  // immediately if no request is on its way; else a moment later, so that fast typing does not send one for each key
  const updateSoon = () => {
    clearTimeout(timer);
    if (composing) return;
    if (panes.some(isBusy)) timer = setTimeout(update, pace);
    else update();
  };

  // ---- answers

  const show = (pane, content, sent) => {
    const fresh = document.createElement("template"), before = focusOf(pane);
    fresh.innerHTML = content;
    const [whole, without] = fresh.content.querySelectorAll(".explained"), article = without || whole;
    pane.sent = sent;
    pane.failed = false;
    pane.element.classList.remove("stale");
    markWords(pane, article);
    if (without) showChange(pane, article, whole);
    pane.body.replaceChildren(article);
    restoreFocus(pane, before);
    const changed = without ? `Without ${wordsOff(pane).join(", ")}: ` : "", model = panes.length > 1 ? pane.model.name + ": " : "";
    pane.found = model + changed + article.querySelector(".prediction").textContent.trim();
    announce(panes.map(each => each.found).join(" "));
  };
  const wordsOff = pane => pane.sent.skip.map(([start, end]) => [...pane.sent.value].slice(start, end).join(""));
  const isOff = (sent, from, to) => sent.skip.some(([start, end]) => start < to && end > from);
  const markWords = (pane, article) => {
    const box = article.querySelector(".text"), words = [];
    for (const word of box.querySelectorAll("[data-s]")) {
      const switched = isOff(pane.sent, +word.dataset.s, +word.dataset.e);
      if (word.localName !== "b" && !switched) continue;  // skipped by the model, such as a header
      word.setAttribute("role", "button");
      word.setAttribute("aria-pressed", String(switched));
      word.tabIndex = -1;
      if (switched) word.title = "switched off; click to switch it on";
      words.push(word);
    }
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Words: the arrow keys move, Enter switches a word off or on");
    if (!words.length) return;
    (words.find(word => word.dataset.s === pane.word) || words[0]).tabIndex = 0;
    article.querySelector(".why").append(offLine(pane));
  };
  const showChange = (pane, article, whole) => {
    const rows = [...article.querySelectorAll("label.row")], old = new Map();
    for (const row of whole.querySelectorAll("label.row")) old.set(row.firstElementChild.value, row);
    const pairs = rows.map(row => [row, old.get(row.firstElementChild.value)]);
    const values = pairs.flatMap(pair => pair.map(row => +row.dataset.value));
    const low = Math.min(0, ...values), extent = Math.max(0, ...values) - low || 1;
    const percent = value => 100 * value / extent;
    for (const [row, other] of pairs) {
      const bar = row.querySelector(".bar"), was = document.createElement("u"), value = +row.dataset.value, earlier = +other.dataset.value;
      const width = percent(Math.abs(value)), left = percent(Math.min(0, value) - low);
      bar.style.backgroundSize = `${width}% 100%`;
      bar.style.backgroundPosition = `${width < 100 ? 100 * left / (100 - width) : 0}% 0`;
      was.className = "was";
      was.style.left = percent(earlier - low) + "%";
      bar.replaceChildren(was);
      const [score, ...others] = row.querySelectorAll(".num"), last = others.pop() || row.appendChild(score.cloneNode());
      others.forEach(each => each.remove());
      last.className = "num soft";
      last.textContent = other.querySelector(".num").textContent;
    }
    const chart = article.querySelector(".classes");
    chart.classList.add("changed");
    chart.classList.remove("sets");
    chart.querySelector("legend").textContent = `${pane.model.multilabel ? "Label" : "Class"} to explain · score now, score with all words (mark)`;
  };
  const offLine = pane => {
    const line = document.createElement("p"), names = document.createElement("s"), button = document.createElement("button");
    line.className = "off";
    if (!pane.sent.skip.length) {
      line.textContent = "Click a word to switch it off.";
      return line;
    }
    names.textContent = wordsOff(pane).join(", ");
    button.type = "button";
    button.textContent = "Restore all";
    button.addEventListener("click", restoreAll);
    line.append("Switched off:", names, button);
    return line;
  };
  const restoreAll = event => {
    const pane = panes.find(each => each.body.contains(event.target));
    pane.word = pane.body.querySelector("[aria-pressed=true]")?.dataset.s || "";
    const next = pane.body.querySelector(`[role=button][data-s="${pane.word}"]`);
    if (next) next.focus({ preventScroll: true });
    off = [];
    update();
  };
  const announce = sentence => {
    clearTimeout(announce.timer);
    announce.timer = setTimeout(() => {
      if (sentence !== announced) status.textContent = announced = sentence;
    }, 700);
  };

  // an answer replaces the elements of the one before: the focus and the position on the screen stay

  const focusOf = pane => {
    const element = document.activeElement;
    if (!pane.body.contains(element)) return null;
    const word = element.closest("[data-s]"), top = element.getBoundingClientRect().top;
    return { top, selector: word ? `[role=button][data-s="${word.dataset.s}"]` : element.type === "radio" ? `input[value="${element.value}"]` : "button" };
  };
  const restoreFocus = (pane, before) => {
    const element = before && pane.body.querySelector(before.selector);
    if (!element) return;
    element.focus({ preventScroll: true });
    scrollBy({ top: element.getBoundingClientRect().top - before.top, behavior: "instant" });
  };

  // ---- words

  const paneOf = element => panes.find(pane => pane.body.contains(element));
  const toggle = word => {
    const pane = paneOf(word), value = pane.sent.value;
    if (value !== wellFormed(text.value)) return;  // the words of an older text
    const from = units(value, +word.dataset.s), to = units(value, +word.dataset.e);
    const without = off.filter(([start, end]) => end <= from || start >= to);
    off = without.length < off.length ? without : [...off, [from, to]].sort((a, b) => a[0] - b[0]);
    pane.word = word.dataset.s;
    for (const each of wordsAt(pane, word)) each.setAttribute("aria-pressed", String(without.length === off.length - 1));
    update();
  };
  const wordsAt = (pane, word) => pane.body.querySelectorAll(`[role=button][data-s="${word.dataset.s}"]`);
  const move = (word, key) => {
    const pane = paneOf(word), words = [...pane.body.querySelectorAll(".text [role=button]")];
    const leftToRight = getComputedStyle(word.parentElement).direction === "ltr";
    const step = key === "ArrowDown" || key === (leftToRight ? "ArrowRight" : "ArrowLeft") ? 1 : -1;
    let n = key === "Home" ? 0 : key === "End" ? words.length - 1 : words.indexOf(word);
    if (key.startsWith("Arrow")) while (words[n] && words[n].dataset.s === word.dataset.s) n += step;
    if (!words[n]) return;
    words.forEach(each => { each.tabIndex = -1; });
    words[n].tabIndex = 0;
    pane.word = words[n].dataset.s;
    words[n].focus();
  };
  results.addEventListener("click", event => {
    const word = event.target.closest(".text [role=button]");
    if (word && !String(getSelection())) toggle(word);
  });
  results.addEventListener("keydown", event => {
    const word = event.target.closest(".text [role=button]");
    if (!word || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") toggle(word);
    else if (/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key)) move(word, event.key);
    else return;
    event.preventDefault();
  });
  results.addEventListener("change", event => {
    const pane = paneOf(event.target);
    target.value = indexOf(pane.model.labels[+event.target.value]);
    if (versus.value === target.value) versus.value = "";
    useSettings();
  });

  // ---- controls

  model.addEventListener("change", () => {
    fillSettings(kept);
    useSettings();
  });
  for (const each of [second, rule]) each.addEventListener("change", useSettings);
  target.addEventListener("change", () => {
    if (!target.value || versus.value === target.value) versus.value = "";
    useSettings();
  });
  versus.addEventListener("change", () => {
    if (versus.value && !target.value) {  // a contrast needs a class: the one that is explained now
      const now = panes[0].body.querySelector(".row input:checked");
      target.value = now && now.value !== versus.value ? now.value : versus.value === "0" ? "1" : "0";
    } else if (versus.value === target.value) versus.value = "";
    useSettings();
  });
  $("settings").addEventListener("submit", event => event.preventDefault());
  $("token").addEventListener("submit", event => {
    event.preventDefault();
    if (/[^ -~]/.test($("secret").value)) return report("The token must be visible ASCII characters. Enter another one.");  // a header can have no others
    token = $("secret").value;
    $("secret").value = "";
    $("token").hidden = true;
    text.focus();
    update();
  });
  $("link").addEventListener("click", async event => {
    if (!navigator.clipboard) return;
    event.preventDefault();
    try {
      await navigator.clipboard.writeText(location.href);
      event.target.textContent = "Link copied";
    } catch {
      event.target.textContent = "Copy the address of this page";
    }
    setTimeout(() => { event.target.textContent = "Link to these settings"; }, 2000);
  });
  const use = value => {
    text.value = value;
    text.scrollTop = 0;
    text.focus();
    text.setSelectionRange(0, 0);
    update();
  };
  $("clear").addEventListener("click", () => use(""));
  $("examples").addEventListener("click", event => {
    if (event.target.localName === "button") use(event.target.textContent);
  });
  text.addEventListener("input", updateSoon);
  text.addEventListener("compositionstart", () => { composing = true; });
  text.addEventListener("compositionend", () => { composing = false; updateSoon(); });
  addEventListener("online", update);
  addEventListener("hashchange", readLink);

  // ---- files

  const size = bytes => bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  const decoded = bytes => {
    const mark = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
    if (mark === "utf-8" && bytes.some(byte => byte < 32 && !(byte >= 9 && byte <= 13) && byte !== 27)) return null;
    try {
      return new TextDecoder(mark, { fatal: true }).decode(bytes);
    } catch {
      return mark === "utf-8" && !bytes.subarray(0, 4).every(byte => byte > 126) ? new TextDecoder("windows-1252").decode(bytes) : null;
    }
  };
  const read = async file => {
    if (file.size > MAX_FILE) return report(`${file.name} must be a text of at most ${size(MAX_FILE)}; got ${size(file.size)}. Open a shorter file.`);
    let content = null;
    try {
      content = decoded(new Uint8Array(await file.arrayBuffer()));
    } catch { /* a folder, or a file that was removed */ }
    if (content === null) return report(`${file.name} must be a text file; got something else. Open a .txt file, or paste its text.`);
    report("");
    use(content.replace(/\r\n?/g, "\n"));
  };
  const hasFiles = event => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  addEventListener("dragover", event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    main.classList.add("dropping");
  });
  addEventListener("dragleave", event => { if (!event.relatedTarget) main.classList.remove("dropping"); });
  addEventListener("drop", event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    main.classList.remove("dropping");
    if (event.dataTransfer.files.length > 1) report("One file at a time: the first one is opened.");
    read(event.dataTransfer.files[0]);
  });
  $("open").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", event => {
    if (event.target.files.length) read(event.target.files[0]);
    event.target.value = "";
  });

  readLink();
  text.focus();
})();
