import { useEffect, useState } from "react";

type Theme = "light" | "dark";

function initial(): Theme {
  const kept = localStorage.getItem("theme");
  if (kept === "light" || kept === "dark") return kept;
  return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Light or dark; the system's choice until the first click. */
export function ThemeButton() {
  const [theme, setTheme] = useState<Theme>(initial);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  const other: Theme = theme === "light" ? "dark" : "light";
  return (
    <button
      type="button"
      className="quiet"
      onClick={() => {
        localStorage.setItem("theme", other);
        setTheme(other);
      }}
    >
      {other === "dark" ? "Dark" : "Light"} theme
    </button>
  );
}
