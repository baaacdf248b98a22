// Shows one picture after another, takes a decision about its label by a key or a button, and saves the list of decisions.
// The browser keeps them until the list is saved, if it lets a local page store anything.
(() => {
  const LANGUAGES = { en: 'English', de: 'Deutsch', fr: 'Français', es: 'Español', 'zh-CN': '简体中文' };
  const COLUMNS = ['file', 'split', 'index', 'class', 'action', 'new_class'];
  const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/; // what a spreadsheet computes, as in base/tables.py
  const COMMANDS = { enter: 'keep', k: 'keep', s: 'take', d: 'drop', delete: 'drop', u: 'undo', arrowleft: 'back', arrowright: 'next' };
  const CLASS_KEYS = '1234567890abcefghijlmnopqrtvwxyz'; // without those of commands
  const MANY_CLASSES = 12; // from here on, a field finds a class by its name

  const data = JSON.parse(document.getElementById('data').textContent);
  const { items, class_names: names } = data;
  const hasLabels = items.some(({ given_label: label }) => label !== null);
  const listName = hasLabels ? 'corrections.csv' : 'labels.csv';
  const storageKey = `convscope-labels-${data.key}`;
  const get = (id) => document.getElementById(id);
  // `decisions` holds [action, new label or null] by the number of an item, `history` the number and what was there before.
  let state = { at: 0, decisions: {}, history: [] };

  // --- Texts ---------------------------------------------------------------------------------------------------------

  let language = 'en';

  function say(key, values = {}) {
    let text = data.texts[language];
    for (const name of key.split('.')) text = text[name];
    if (typeof text !== 'string') text = text[new Intl.PluralRules(language).select(values.n)] ?? text.other;
    return text.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === 'number' ? format(values[name]) : values[name]));
  }

  const format = (number, options) => new Intl.NumberFormat(language, options).format(number);

  function percent(fraction) {
    const digits = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
    return `${fraction > 0.999 ? '> ' : ''}${format(100 * Math.min(fraction, 0.999), digits)}\u00a0%`;
  }

  function translate() {
    document.documentElement.lang = language;
    for (const element of document.querySelectorAll('say-text')) {
      element.textContent = say(element.getAttribute('key'), JSON.parse(element.getAttribute('values') ?? '{}'));
    }
    for (const name of ['title', 'aria-label', 'placeholder']) {
      for (const element of document.querySelectorAll(`[data-say-${name}]`)) {
        element.setAttribute(name, say(...JSON.parse(element.getAttribute(`data-say-${name}`))));
      }
    }
    document.title = document.querySelector('h1').textContent;
  }

  function openLanguages() {
    const select = get('language');
    for (const code in data.texts) select.add(new Option(LANGUAGES[code] ?? code, code));
    const base = (code) => code.split('-')[0];
    const wanted = navigator.languages.map((tag) => Object.keys(data.texts).find((code) => base(code) === base(tag)));
    select.value = language = wanted.find(Boolean) ?? 'en';
    select.addEventListener('change', () => {
      language = select.value;
      translate();
      show();
    });
    translate();
  }

  // --- State ---------------------------------------------------------------------------------------------------------

  function restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(storageKey));
      if (kept.at in items && Array.isArray(kept.history)) state = kept;
    } catch {
      // Nothing is kept, or storing is not allowed, so the decisions hold for this visit.
    }
  }

  function store() {
    try {
      localStorage.setItem(storageKey, JSON.stringify(state));
    } catch {
      // As above.
    }
  }

  const isDecided = (number) => number in state.decisions;
  const decided = () => Object.keys(state.decisions).map(Number);

  function decide(action, label = null) {
    const { at, decisions, history } = state;
    history.push([at, decisions[at] ?? null]);
    decisions[at] = [action, label];
    const order = [...items.keys()];
    const open = [...order.slice(at + 1), ...order.slice(0, at)].filter((number) => !isDecided(number));
    const message = describe(at);
    if (open.length > 0) state.at = open[0];
    moved(open.length > 0 ? message : `${message} ${say('labelling.done')}`);
  }

  function choose(label) {
    const { given_label: given } = items[state.at];
    if (given === null) decide('label', label);
    else if (label === given) decide('keep');
    else decide('relabel', label);
  }

  const run = {
    keep: () => choose(items[state.at].given_label ?? items[state.at].suggested_label),
    take: () => choose(items[state.at].suggested_label),
    drop: () => decide('drop'),
    back: () => go(-1),
    next: () => go(1),
    undo() {
      const last = state.history.pop();
      if (last === undefined) return;
      const [number, before] = last;
      if (before === null) delete state.decisions[number];
      else state.decisions[number] = before;
      state.at = number;
      moved(say('labelling.undone'));
    },
  };

  function go(step) {
    state.at = Math.min(Math.max(state.at + step, 0), items.length - 1);
    moved('');
  }

  function moved(message) {
    store();
    show();
    get('find').value = '';
    filter();
    // The keys go to the picture, not to a button that was pressed before.
    get('what').focus({ preventScroll: true });
    const facts = [get('what'), get('given'), get('suggestion')].map(({ textContent }) => textContent).filter(Boolean);
    get('spoken').textContent = [message, ...facts].filter(Boolean).join('. ');
  }

  function describe(number) {
    if (!isDecided(number)) return '';
    const [action, label] = state.decisions[number];
    return say(`labelling.decided.${action}`, { name: names[label ?? items[number].given_label] ?? '' });
  }

  // --- What is shown -------------------------------------------------------------------------------------------------

  const pictureUri = (number) => `data:image/png;base64,${data.pictures[number]}`;

  function show() {
    const { at, decisions, history } = state;
    const item = items[at];
    const num = decided().length;
    get('progress').max = items.length;
    get('progress').value = num;
    get('count').textContent = say('labelling.count', { decided: num, n: items.length });
    get('what').textContent = say('labelling.position', { number: at + 1, n: items.length });
    get('source').textContent = item.file || (item.split && say(`labelling.image.${item.split}`, { index: String(item.index) }));
    get('picture').src = pictureUri(item.picture);
    get('picture').alt = get('source').textContent;
    get('given').textContent = item.given_label === null ? '' : say('labelling.given', { name: names[item.given_label] });
    get('suggestion').textContent = say('labelling.suggestion', { name: names[item.suggested_label], probability: percent(item.confidence) });
    get('decision').textContent = describe(at);
    get('neighbours').hidden = item.neighbours.length === 0;
    get('neighbours').querySelector('ol').replaceChildren(
      ...item.neighbours.map(({ picture, label }) => {
        const entry = document.createElement('li');
        const image = Object.assign(document.createElement('img'), { src: pictureUri(picture), alt: '' });
        const name = Object.assign(document.createElement('span'), { textContent: names[label], title: names[label] });
        name.classList.toggle('suggested', label === item.suggested_label);
        entry.append(image, name);
        return entry;
      }),
    );
    const [action, label] = decisions[at] ?? [];
    const isTaken = label === item.suggested_label;
    get('keep').hidden = item.given_label === null;
    fill('keep', item.given_label === null ? '' : say('labelling.keep', { name: names[item.given_label] }), 'K', action === 'keep');
    fill('take', say(item.given_label === null ? 'labelling.accept' : 'labelling.take', { name: names[item.suggested_label] }), 'S', isTaken);
    fill('drop', say('labelling.drop'), 'D', action === 'drop');
    fill('back', say('labelling.back'), '←').disabled = at === 0;
    fill('next', say('labelling.next'), '→').disabled = at === items.length - 1;
    fill('undo', say('labelling.undo'), 'U').disabled = history.length === 0;
    fill('save', say('labelling.save', { file: listName, number: num })).disabled = num === 0;
    get('save').classList.toggle('main', num === items.length);
    for (const button of get('choices').children) {
      const own = Number(button.dataset.label);
      button.setAttribute('aria-pressed', String(own === (action === 'keep' ? item.given_label : label)));
    }
  }

  function fill(id, text, key, isPressed) {
    const button = get(id);
    const hint = document.createElement('kbd');
    hint.textContent = key ?? '';
    hint.ariaHidden = 'true';
    button.replaceChildren(text, ...(key ? [hint] : []));
    if (isPressed !== undefined) button.setAttribute('aria-pressed', String(isPressed));
    return button;
  }

  // Gives each class a key: a name of a single character is its own, with Shift where it is that of a command; the others
  // get digits, then letters.
  function assignKeys() {
    const keys = new Map();
    names.forEach((name, label) => {
      const key = name.toLowerCase() in COMMANDS ? `shift ${name.toLowerCase()}` : name.toLowerCase();
      if ([...name].length === 1 && !keys.has(key)) keys.set(key, label);
    });
    const taken = new Set(keys.values());
    const free = [...CLASS_KEYS].filter((key) => !keys.has(key));
    for (const label of names.keys()) {
      if (!taken.has(label) && free.length > 0) keys.set(free.shift(), label);
    }
    return keys;
  }

  function makeChoices(keys) {
    const keyOf = new Map([...keys].map(([key, label]) => [label, key]));
    names.forEach((name, label) => {
      const button = Object.assign(document.createElement('button'), { type: 'button', className: 'button', textContent: name });
      button.dataset.label = label;
      const hint = document.createElement('kbd');
      hint.textContent = (keyOf.get(label) ?? '').replace('shift ', '⇧').toUpperCase();
      hint.ariaHidden = 'true';
      if (keyOf.has(label)) button.append(hint);
      button.addEventListener('click', () => choose(label));
      get('choices').append(button);
    });
    get('others').hidden = hasLabels && names.length === 2;
    get('find').hidden = names.length <= MANY_CLASSES;
  }

  function filter() {
    const wanted = get('find').value.trim().toLowerCase();
    for (const button of get('choices').children) {
      button.hidden = !names[button.dataset.label].toLowerCase().includes(wanted);
    }
  }

  // --- The list ------------------------------------------------------------------------------------------------------

  function cell(value) {
    const text = FORMULA.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function save() {
    const rows = decided().map((number) => {
      const { file, split, index, given_label: given } = items[number];
      const [action, label] = state.decisions[number];
      return [file, split, index, given === null ? '' : names[given], action, label === null ? '' : names[label]];
    });
    // Pictures without labels become a data set: a table of files, without those that were dropped.
    const labels = rows.filter(([, , , , action]) => action === 'label').map((row) => [row[0], row.at(-1)]);
    const table = hasLabels ? [COLUMNS, ...rows] : [['file', 'label'], ...labels];
    const text = table.map((row) => `${row.map(cell).join(',')}\n`).join('');
    const href = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
    Object.assign(document.createElement('a'), { href, download: listName }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000); // the browser may read it later
  }

  // --- Keys ----------------------------------------------------------------------------------------------------------

  function listen(keys) {
    document.addEventListener('keydown', (event) => {
      const { target, code, shiftKey } = event;
      if (event.defaultPrevented || event.altKey || target.closest('input, select')) return;
      const name = event.key.toLowerCase();
      if (event.ctrlKey || event.metaKey) {
        if (name !== 'z') return;
        event.preventDefault();
        run.undo();
        return;
      }
      if ((name === 'enter' && target.closest('button, a')) || (event.repeat && !name.startsWith('arrow'))) return;
      // Digits also where a layout needs Shift for them, as the French one.
      const key = /^(Digit|Numpad)\d$/.test(code) ? code.at(-1) : name;
      const label = (shiftKey ? keys.get(`shift ${key}`) : undefined) ?? keys.get(key);
      if (key in COMMANDS && !(shiftKey && label !== undefined)) run[COMMANDS[key]]();
      else if (label !== undefined) choose(label);
      else return;
      event.preventDefault();
    });
    get('find').addEventListener('input', filter);
    get('find').addEventListener('keydown', (event) => {
      const first = [...get('choices').children].find((button) => !button.hidden);
      if (event.key === 'Enter' && event.target.value && first) first.click();
      else if (event.key === 'Escape') moved('');
    });
    for (const id in run) get(id).addEventListener('click', run[id]);
    get('save').addEventListener('click', save);
  }

  restore();
  const keys = assignKeys();
  makeChoices(keys);
  openLanguages();
  listen(keys);
  show();
  get('work').hidden = false;
  document.documentElement.dataset.ready = 'yes';
})();
