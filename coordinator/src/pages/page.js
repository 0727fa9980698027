'use strict';
// Everything is there without this. With it, the page is read again, and a clock that runs is counted down in between.
(() => {
  const main = () => document.querySelector('main');
  let since = performance.now();

  const text = (ms) => (ms < 10000 ? (ms / 1000).toFixed(1) + ' s' : Math.ceil(ms / 1000) + ' s');
  const count = () => {
    for (const left of document.querySelectorAll('[data-left]')) {
      const ms = Math.max(0, Number(left.dataset.left) - (performance.now() - since));
      left.querySelector('.count').textContent = text(ms);
      const bar = left.querySelector('progress');
      if (bar) bar.value = ms;
    }
  };

  const put = (fresh) => {
    const old = main();
    // Several links may lead to one place: it is the same one only at the same place among all.
    const reachable = () => [...main().querySelectorAll('a[href], summary')];
    const place = reachable().indexOf(document.activeElement);
    const href = document.activeElement?.getAttribute('href');
    const open = [...old.querySelectorAll('details')].map((one) => one.open);
    [...fresh.querySelectorAll('details')].forEach((one, at) => { one.open = open[at] ?? one.open; });
    old.replaceWith(document.adoptNode(fresh));
    since = performance.now();
    if (place < 0) return;
    const same = (one) => one?.getAttribute('href') === href;
    const now = reachable();
    (same(now[place]) ? now[place] : now.find(same))?.focus({ preventScroll: true });
  };

  const again = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(8000) });
        const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
        document.body.classList.toggle('stale', !fresh);
        if (fresh) put(fresh);
      } catch {
        document.body.classList.add('stale');
      }
    }
    const seconds = Number(main().dataset.refresh);
    if (seconds > 0) setTimeout(again, seconds * 1000);
  };

  setInterval(count, 100);
  document.body.classList.add('live');
  const seconds = Number(main()?.dataset.refresh);
  if (seconds > 0) setTimeout(again, seconds * 1000);
})();
