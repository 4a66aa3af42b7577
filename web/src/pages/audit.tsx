// What happened, newest first. Filters live in the address.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Download } from "lucide-react";

import { answer, api, type AuditEvent } from "../api/client";
import { useAllUsers } from "../api/queries";
import { Failure, Pager, useTitle, Waiting } from "../ui/parts";
import { Shell } from "../ui/shell";
import { EVENTS } from "./audit-events";
import { GRANTS } from "./grants";
import { ROLES } from "./roles";
import { REASONS } from "./session-table";

export interface AuditSearch {
  event?: string;
  actor?: string;
  session?: string;
  since?: string;
  until?: string;
  /** The page: older than this row. */
  after?: number;
}

export function AuditPage() {
  return <Shell>{(user) => <Audit mayListUsers={user.permissions.includes("manage_users")} />}</Shell>;
}

/** The filter as the API takes it: days as this reader means them. */
function query(search: AuditSearch) {
  const day = (text: string, days: number) => {
    const [year, month, date] = text.split("-").map(Number);
    return new Date(year!, month! - 1, date! + days).toISOString();
  };
  return {
    event: search.event, actor_id: search.actor, session_id: search.session, since: search.since ? day(search.since, 0) : undefined,
    until: search.until ? day(search.until, 1) : undefined,
  };
}

function Audit({ mayListUsers }: { mayListUsers: boolean }) {
  useTitle("Audit · GuruConnect");
  const search = useSearch({ from: "/audit" });
  const navigate = useNavigate({ from: "/audit" });
  const set = (change: AuditSearch) => void navigate({ search: (before) => ({ ...before, ...change, after: undefined }), replace: true });
  const filter = query(search);
  const events = useQuery({
    queryKey: ["audit", filter, search.after ?? 0],
    queryFn: () => answer(api.GET("/api/audit", { params: { query: { ...filter, after: search.after } } })),
    // Another filter does not empty the page for a moment.
    placeholderData: keepPreviousData,
  });
  const users = useAllUsers(mayListUsers);
  const items = events.data?.items ?? [];
  const { after, ...filters } = search;
  const filtered = Object.values(filters).some(Boolean);
  const chosen = new URLSearchParams(Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined));
  return (
    <>
      <div className="heading">
        <h1>Audit</h1>
        <a className="button" href={`/api/audit/export?${chosen.toString()}`} download>
          <Download aria-hidden="true" /> Export as CSV
        </a>
      </div>
      <form className="filters" onSubmit={(event) => event.preventDefault()} aria-label="Filters">
        <div className="field">
          <label htmlFor="event">Event</label>
          <select id="event" value={search.event ?? ""} onChange={(e) => set({ event: e.target.value || undefined })}>
            <option value="">All</option>
            {Object.entries(EVENTS).map(([name, words]) => <option key={name} value={name}>{words}</option>)}
          </select>
        </div>
        {mayListUsers ? (
          <div className="field">
            <label htmlFor="actor">Who</label>
            <select id="actor" value={search.actor ?? ""} onChange={(e) => set({ actor: e.target.value || undefined })}>
              <option value="">Everybody</option>
              {users.data?.map((user) => <option key={user.id} value={user.id}>{user.display_name}</option>)}
            </select>
          </div>
        ) : null}
        <div className="field">
          <label htmlFor="since">From</label>
          <input id="since" type="date" value={search.since ?? ""} onChange={(e) => set({ since: e.target.value || undefined })} />
        </div>
        <div className="field">
          <label htmlFor="until">To</label>
          <input id="until" type="date" value={search.until ?? ""} onChange={(e) => set({ until: e.target.value || undefined })} />
        </div>
        {filtered ? <button type="button" className="button" onClick={() => void navigate({ search: {}, replace: true })}>Show all</button> : null}
      </form>
      <Failure error={events.error} />
      {events.isPending ? <Waiting>Loading</Waiting> : null}
      {events.data && items.length === 0 ? (
        <div className="table-wrap empty"><p>{filtered ? "Nothing that happened fits these filters." : "Nothing has happened yet."}</p></div>
      ) : null}
      {items.length > 0 ? (
        <div className="table-wrap">
          <table>
            <thead><tr><th>Time</th><th>Event</th><th>Who</th><th>What</th><th>Address</th></tr></thead>
            <tbody>{items.map((item) => <Row key={item.id} item={item} show={set} />)}</tbody>
          </table>
        </div>
      ) : null}
      <Pager
        busy={events.isPlaceholderData}
        newest={after ? <Link to="/audit" search={filters} className="button">Newest</Link> : null}
        older={events.data?.next ? <Link to="/audit" search={{ ...filters, after: Number(events.data.next) }} className="button">Older</Link> : null}
      />
    </>
  );
}

/** What the values of a detail are called, where they are words of the API. */
const WORDS: Record<string, Record<string, string>> = { permissions: GRANTS, scopes: GRANTS, reason: REASONS, role: ROLES };

function detail(name: string, value: unknown): string {
  const words = (one: unknown) => WORDS[name]?.[String(one)] ?? String(one);
  return Array.isArray(value) ? value.map(words).join(", ") : words(value);
}

function Row({ item, show }: { item: AuditEvent; show: (change: AuditSearch) => void }) {
  const details = Object.entries(item.details as Record<string, unknown>);
  const time = new Date(item.at);
  return (
    <tr>
      <td className="when"><time dateTime={item.at}>{time.toLocaleDateString()} {time.toLocaleTimeString()}</time></td>
      <td className="name">
        {EVENTS[item.event] ?? item.event}
        {item.outcome === "ok" ? null : <div className="sub refused">{item.outcome}</div>}
      </td>
      <td className="name">{item.actor_name ?? item.viewer_name ? <bdi>{item.actor_name ?? item.viewer_name}</bdi> : <span className="muted">nobody logged in</span>}</td>
      <td className="name">
        {item.target ? <bdi>{item.target}</bdi> : null}
        {details.length > 0 ? (
          <dl className="details">
            {details.map(([name, value]) => (
              <div key={name}><dt>{name.replaceAll("_", " ")}</dt><dd>{detail(name, value)}</dd></div>
            ))}
          </dl>
        ) : null}
        {item.session_id ? (
          <button className="link mono" onClick={() => show({ session: item.session_id ?? undefined })} title={`All of session ${item.session_id}`}>
            session …{item.session_id.slice(-6)}
          </button>
        ) : null}
      </td>
      <td className="mono">{item.address}</td>
    </tr>
  );
}
