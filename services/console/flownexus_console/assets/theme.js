// Light, dark or as the system has it: the choice is kept in this browser. Runs before the first paint.
(() => {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => localStorage.getItem("flownexus-theme") ?? "auto";
  const apply = () => {
    const choice = chosen();
    const dark = choice === "dark" || (choice === "auto" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    document.documentElement.dataset.themeChoice = choice;
  };
  window.flownexusTheme = {
    next() {
      const order = ["auto", "light", "dark"];
      localStorage.setItem("flownexus-theme", order[(order.indexOf(chosen()) + 1) % order.length]);
      apply();
    },
  };
  system.addEventListener("change", apply);
  apply();
})();
