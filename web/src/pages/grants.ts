import type { Permission } from "../api/client";

/** What can be granted to a user beside a role, or to a token, in words. */
export const GRANTS: Partial<Record<Permission, string>> = {
  view: "See sessions", control: "Control computers", transfer: "Move files", create_codes: "Create support codes",
  manage_sessions: "End others’ sessions", view_audit: "Read the audit trail", manage_users: "Manage users",
  manage_settings: "Change settings", view_metrics: "Read metrics",
};

/** The same, one after the other. */
export const GRANTABLE = Object.entries(GRANTS) as [Permission, string][];
