import type { LanguagesState } from "./useLanguages";

interface Props {
  state: LanguagesState;
  value: string;
  onChange: (id: string) => void;
}

/** The list of languages; those that this host cannot run are shown and cannot be chosen. */
export function LanguageSelect({ state, value, onChange }: Props) {
  const languages = state.kind === "ready" ? state.languages : [];
  return (
    <label className="field">
      <span>Language</span>
      <select value={value} disabled={languages.length === 0} onChange={(event) => onChange(event.target.value)}>
        {languages.length === 0 && <option value="">{state.kind === "loading" ? "Loading…" : "None"}</option>}
        {languages.map((l) => (
          <option key={l.id} value={l.id} disabled={!l.available} title={l.reason}>
            {l.available ? [l.name, l.version].filter(Boolean).join(" · ") : `${l.name} (not available)`}
          </option>
        ))}
      </select>
    </label>
  );
}
