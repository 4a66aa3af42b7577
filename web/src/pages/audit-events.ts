/** What events are called. */
export const EVENTS: Record<string, string> = {
  login: "Logged in", login_failed: "Login refused", logout: "Logged out", password_changed: "Password changed",
  second_factor_set: "Second factor set", second_factor_removed: "Second factor removed",
  token_created: "Access token made", token_revoked: "Access token revoked", settings_changed: "Settings changed",
  setup_completed: "Server set up", user_created: "User created", user_changed: "User changed", user_removed: "User removed",
  code_created: "Code created", code_used: "Code used", code_cancelled: "Code cancelled", consent_requested: "Person asked",
  consent_granted: "Person accepted", consent_denied: "Person declined", viewer_joined: "Viewer joined", viewer_left: "Viewer left",
  invited: "Colleague invited", invitation_withdrawn: "Invitation withdrawn", session_closed_by_person: "Ended by the person",
  session_removed: "Session removed", session_ended: "Session over",
};
