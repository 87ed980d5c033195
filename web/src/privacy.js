// The service worker keeps the page for use without network, and refuses every request but those for the page's files.

/** Registers it; the switch turns its refusal on and off. The content security policy holds in any case. */
export async function watchPrivacy(button, text) {
  const set = (isOn) => {
    button.setAttribute("aria-checked", String(isOn));
    text.textContent = isOn
      ? "Every request but those for this page's own files is refused."
      : "The page may load from its own host only; there is nothing there that takes data.";
    navigator.serviceWorker?.controller?.postMessage({ strict: isOn });
  };
  button.addEventListener("click", () => set(button.getAttribute("aria-checked") !== "true"));
  if (!("serviceWorker" in navigator)) {
    text.textContent = "The page's policy allows no other host than its own.";
    button.disabled = true;
    return;
  }
  navigator.serviceWorker.addEventListener("message", ({ data }) => {
    if (data.kept !== undefined) document.body.dataset.offline = data.kept ? "ready" : "part";
  });
  try {
    await navigator.serviceWorker.register("./service_worker.js");
    await navigator.serviceWorker.ready;
    navigator.serviceWorker.addEventListener("controllerchange", () =>
      set(button.getAttribute("aria-checked") === "true"),
    );
    set(true);
  } catch {
    text.textContent = "The page's policy allows no other host than its own. It is not kept for use without network.";
  }
}
