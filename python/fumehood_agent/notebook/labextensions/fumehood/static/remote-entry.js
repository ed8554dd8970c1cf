/* A module container as JupyterLab loads them, written by hand: plug-ins over JupyterLab's own modules, and nothing to build. */
(() => {
  const LOOK_EVERY_MS = 10000;
  const LONGEST_START_MS = 120000;
  const TELL_BEFORE_MS = 10 * 60000;
  /* What MLflow's client prints is its address inside the sandbox; the reader's browser finds what it names by way of the door. */
  const INSIDE = /^http:\/\/(?:localhost|127\.0\.0\.1):5000\/#\/(experiments)\/(\d+)(?:\/(runs)\/([0-9a-f]{32}))?$/;

  const leadToPage = (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    const named = link === null ? null : INSIDE.exec(link.href);
    if (named === null) return;
    const [, experiments, experimentId, runs, runId] = named;
    link.href = `/.fumehood/${runs || experiments}/${runId || experimentId}`;
    link.target = "_blank";
    link.rel = "noopener";
  };

  /* The page connects again by itself; what told of the outage need not wait for the reader. */
  const closeOutage = () => {
    const told = document.querySelector('.jp-Dialog[aria-label^="Server Connection Error"] .jp-Dialog-footer button');
    if (told instanceof HTMLElement) told.click();
  };

  const lookAtTime = (app) => {
    let told;
    const look = async () => {
      const answer = await fetch("/.fumehood/sandbox", { cache: "no-store" });
      if (!answer.ok) return;
      closeOutage();
      const { name, now, expiresAt } = await answer.json();
      const leftMs = Date.parse(expiresAt) - Date.parse(now);
      if (leftMs > TELL_BEFORE_MS || told === expiresAt) return;
      told = expiresAt;
      const at = new Date(Date.now() + leftMs).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      const minutes = Math.max(1, Math.round(leftMs / 60000));
      const message = `This sandbox ends at ${at}, in ${minutes} min. To move the end: fumehood sandbox keepalive ${name} --ttl 1h`;
      await app.commands.execute("apputils:notify", { message, type: "warning", options: { autoClose: false } });
    };
    const quietly = () => look().catch(() => undefined);
    setInterval(quietly, LOOK_EVERY_MS);
    app.restored.then(quietly);
  };

  const sandbox = {
    id: "fumehood:sandbox",
    autoStart: true,
    activate: (app) => {
      for (const kind of ["mouseover", "focusin", "mousedown", "click", "auxclick"])
        document.addEventListener(kind, leadToPage, { capture: true });
      lookAtTime(app);
    },
  };

  const COMING = ["initializing", "starting", "restarting"];
  const isComing = (context) =>
    !context.isDisposed && (!context.isReady || COMING.includes(context.kernelDisplayStatus));

  const untilKernel = async (context) => {
    const latest = Date.now() + LONGEST_START_MS;
    while (isComing(context) && Date.now() < latest) await new Promise((resolve) => setTimeout(resolve, 50));
  };

  /* What is run before its kernel is there waits for it, in order. JupyterLab's executors would take the cell for done, and never run it. */
  const waitForKernel = (executor) => {
    const waits = new WeakMap();
    const run = executor.runCell.bind(executor);
    const waitIn = (context) => {
      const known = waits.get(context);
      if (known !== undefined) return known;
      const wait = untilKernel(context).finally(() => waits.delete(context));
      waits.set(context, wait);
      return wait;
    };
    executor.runCell = async (options) => {
      const { cell, sessionContext: context } = options;
      if (cell.model.type === "code" && context && (waits.has(context) || isComing(context))) {
        cell.setPrompt("*");
        await waitIn(context);
        if (cell.isDisposed) return false;
        cell.setPrompt("");
      }
      return run(options);
    };
  };

  const cells = (token) => ({
    id: "fumehood:cells",
    autoStart: true,
    requires: [token],
    activate: (_app, executor) => waitForKernel(executor),
  });

  /* A module that JupyterLab has loaded, by its name. */
  const shared = async (scope, name) => {
    const versions = Object.values(scope[name] || {});
    const one = versions.find(({ loaded }) => loaded) || versions[0];
    return one === undefined ? {} : (await one.get())();
  };

  let scope = {};
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.fumehood = {
    init: (given) => {
      scope = given;
    },
    get: async () => {
      const { INotebookCellExecutor: token } = await shared(scope, "@jupyterlab/notebook");
      return () => ({ __esModule: true, default: token === undefined ? [sandbox] : [sandbox, cells(token)] });
    },
  };
})();
