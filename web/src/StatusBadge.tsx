import type { Status } from "./api";
import { looks } from "./status";

/** Icon, short code, words and colour. */
export function StatusBadge({ status }: { status: Status }) {
  const look = looks[status];
  return (
    <span className={`badge ${status}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d={look.icon} />
      </svg>
      <span className="short">{look.code}</span>
      <span>{look.label}</span>
    </span>
  );
}
