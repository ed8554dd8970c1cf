/* A module container as JupyterLab loads them, written by hand: one plug-in and no dependency. */
(() => {
  const LOOK_EVERY_MS = 10000;
  const TELL_BEFORE_MS = 10 * 60000;
  /* What MLflow's client prints is its address inside the sandbox; the reader's browser finds the run by way of the door. */
  const RUN = /^http:\/\/(?:localhost|127\.0\.0\.1):5000\/#\/experiments\/\d+\/runs\/([0-9a-f]{32})$/;

  const leadToRun = (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    const run = link === null ? null : RUN.exec(link.href);
    if (run === null) return;
    link.href = `/.fumehood/runs/${run[1]}`;
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

  const plugin = {
    id: "fumehood:sandbox",
    autoStart: true,
    activate: (app) => {
      for (const kind of ["mouseover", "focusin", "mousedown", "click", "auxclick"])
        document.addEventListener(kind, leadToRun, { capture: true });
      lookAtTime(app);
    },
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.fumehood = {
    init: () => undefined,
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
