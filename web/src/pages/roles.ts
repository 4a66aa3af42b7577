/** What roles are called. */
export const ROLES: Record<string, string> = {
  admin: "Administrator", operator: "Technician", viewer: "Watcher", end_user: "Client’s employee",
};
