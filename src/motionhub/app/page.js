// The bar over time moves the recording, and the recording moves the bar. Listens on the document: Gradio replaces
// the elements with every answer.
(() => {
  const video = () => document.querySelector("#mh-video video");

  function seek(seconds) {
    const shown = video();
    if (!shown) return;
    shown.pause();
    shown.currentTime = Math.min(seconds, shown.duration || seconds);
    show(seconds);
  }

  function show(seconds) {
    for (const ribbon of document.querySelectorAll(".mh-ribbon")) {
      const share = Math.min(1, seconds / Number(ribbon.dataset.duration));
      ribbon.style.setProperty("--mh-now", `${100 * share}%`);
      ribbon.querySelector(".mh-clock").textContent = `${seconds.toFixed(1)} s`;
      const scrub = ribbon.querySelector(".mh-scrub");
      if (document.activeElement !== scrub || Math.abs(Number(scrub.value) - seconds) > 0.3) scrub.value = seconds;
      for (const bar of ribbon.querySelectorAll(".mh-bar"))
        bar.classList.toggle("mh-now", seconds >= Number(bar.dataset.seek) && seconds < Number(bar.dataset.end));
    }
  }

  document.addEventListener("click", (event) => {
    const place = event.target.closest?.("[data-seek]");
    if (place) seek(Number(place.dataset.seek));
  });
  document.addEventListener("input", (event) => {
    if (event.target.classList?.contains("mh-scrub")) seek(Number(event.target.value));
  });
  // Events of media do not bubble.
  for (const name of ["timeupdate", "seeked"])
    document.addEventListener(name, (event) => event.target === video() && show(event.target.currentTime), true);
})();
