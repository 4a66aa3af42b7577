//! Every table of the product, with tenants from the start. Times are UTC
//! milliseconds; secrets are hashes; `deleted_at` marks a row as gone where
//! history matters.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// `{uuid}`, `{json}` and `{serial}` stand for what each database calls them.
const TABLES: &[&str] = &[
    "CREATE TABLE tenants (id {uuid} PRIMARY KEY, name TEXT NOT NULL, created_at BIGINT NOT NULL)",
    "CREATE TABLE users (
        id {uuid} PRIMARY KEY, tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        username TEXT NOT NULL, username_key TEXT NOT NULL, display_name TEXT NOT NULL, role TEXT NOT NULL,
        password_hash TEXT NOT NULL, enabled BOOLEAN NOT NULL, mfa_secret TEXT,
        must_change_password BOOLEAN NOT NULL, created_at BIGINT NOT NULL, last_login_at BIGINT, deleted_at BIGINT)",
    "CREATE UNIQUE INDEX users_name ON users (tenant_id, username_key) WHERE deleted_at IS NULL",
    "CREATE TABLE user_permissions (
        user_id {uuid} NOT NULL REFERENCES users(id) ON DELETE CASCADE, permission TEXT NOT NULL,
        tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE, PRIMARY KEY (user_id, permission))",
    "CREATE TABLE login_tokens (
        id {uuid} PRIMARY KEY, tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        user_id {uuid} NOT NULL REFERENCES users(id) ON DELETE CASCADE,
        token_hash TEXT NOT NULL UNIQUE, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL)",
    "CREATE TABLE api_tokens (
        id {uuid} PRIMARY KEY, tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        user_id {uuid} NOT NULL REFERENCES users(id) ON DELETE CASCADE, name TEXT NOT NULL,
        token_hash TEXT NOT NULL UNIQUE, scopes {json} NOT NULL, created_at BIGINT NOT NULL,
        expires_at BIGINT, last_used_at BIGINT, revoked_at BIGINT)",
    "CREATE TABLE revoked_tokens (
        jti TEXT PRIMARY KEY, tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        expires_at BIGINT NOT NULL, revoked_at BIGINT NOT NULL)",
    "CREATE TABLE connect_sites (
        id {uuid} PRIMARY KEY, tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        site_code TEXT NOT NULL, display_name TEXT NOT NULL, company TEXT NOT NULL,
        enrollment_policy TEXT NOT NULL DEFAULT 'auto-approve', created_at BIGINT NOT NULL, deleted_at BIGINT,
        UNIQUE (tenant_id, site_code))",
    "CREATE TABLE site_enrollment_keys (
        id {uuid} PRIMARY KEY, tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        site_id {uuid} NOT NULL REFERENCES connect_sites(id) ON DELETE CASCADE,
        key_hash TEXT NOT NULL, version BIGINT NOT NULL, fingerprint TEXT NOT NULL, active BOOLEAN NOT NULL,
        created_at BIGINT NOT NULL, rotated_at BIGINT)",
    "CREATE UNIQUE INDEX site_enrollment_keys_active ON site_enrollment_keys (site_id) WHERE active",
    "CREATE TABLE connect_machines (
        id {uuid} PRIMARY KEY, tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        agent_id TEXT NOT NULL, machine_uid TEXT NOT NULL, hostname TEXT NOT NULL, organization TEXT, site TEXT,
        department TEXT, device_type TEXT, tags {json}, site_id {uuid} REFERENCES connect_sites(id) ON DELETE SET NULL,
        is_persistent BOOLEAN NOT NULL, is_elevated BOOLEAN NOT NULL, enrollment_state TEXT NOT NULL,
        status TEXT NOT NULL, last_seen BIGINT, inventory {json}, created_at BIGINT NOT NULL, deleted_at BIGINT,
        UNIQUE (tenant_id, machine_uid))",
    "CREATE TABLE connect_agent_keys (
        id {uuid} PRIMARY KEY, tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        machine_id {uuid} NOT NULL REFERENCES connect_machines(id) ON DELETE CASCADE,
        key_hash TEXT NOT NULL UNIQUE, created_at BIGINT NOT NULL, last_used_at BIGINT, revoked_at BIGINT)",
    "CREATE TABLE user_client_access (
        user_id {uuid} NOT NULL REFERENCES users(id) ON DELETE CASCADE,
        client_id {uuid} NOT NULL REFERENCES connect_machines(id) ON DELETE CASCADE,
        tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE, created_at BIGINT NOT NULL,
        PRIMARY KEY (user_id, client_id))",
    "CREATE TABLE connect_sessions (
        id {uuid} PRIMARY KEY, tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        machine_id {uuid} REFERENCES connect_machines(id) ON DELETE SET NULL,
        is_managed BOOLEAN NOT NULL, source TEXT NOT NULL, status TEXT NOT NULL, consent_state TEXT NOT NULL,
        requested_access TEXT NOT NULL, accepted_access TEXT,
        created_by {uuid} REFERENCES users(id) ON DELETE SET NULL, technician_name TEXT NOT NULL,
        organization TEXT NOT NULL, note TEXT, hostname TEXT, operating_system TEXT, resume_hash TEXT,
        end_reason TEXT, created_at BIGINT NOT NULL, started_at BIGINT, ended_at BIGINT, deleted_at BIGINT)",
    "CREATE INDEX connect_sessions_open ON connect_sessions (status) WHERE status <> 'ended'",
    "CREATE UNIQUE INDEX connect_sessions_resume ON connect_sessions (resume_hash) WHERE resume_hash IS NOT NULL",
    "CREATE TABLE session_invitations (
        session_id {uuid} NOT NULL REFERENCES connect_sessions(id) ON DELETE CASCADE,
        user_id {uuid} NOT NULL REFERENCES users(id) ON DELETE CASCADE,
        tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        invited_by {uuid} REFERENCES users(id) ON DELETE SET NULL, created_at BIGINT NOT NULL,
        PRIMARY KEY (session_id, user_id))",
    "CREATE TABLE connect_session_events (
        id {serial}, tenant_id {uuid} REFERENCES tenants(id) ON DELETE SET NULL,
        session_id {uuid} REFERENCES connect_sessions(id) ON DELETE SET NULL,
        event_type TEXT NOT NULL, viewer_id TEXT, viewer_name TEXT,
        actor_id {uuid} REFERENCES users(id) ON DELETE SET NULL, target TEXT, outcome TEXT NOT NULL,
        details {json} NOT NULL, ip_address TEXT, created_at BIGINT NOT NULL)",
    "CREATE INDEX connect_session_events_session ON connect_session_events (session_id)",
    "CREATE TABLE connect_support_codes (
        id {uuid} PRIMARY KEY, tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        session_id {uuid} NOT NULL REFERENCES connect_sessions(id) ON DELETE CASCADE,
        code TEXT, code_hash TEXT NOT NULL, status TEXT NOT NULL,
        created_by {uuid} REFERENCES users(id) ON DELETE SET NULL, created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL, consumed_at BIGINT)",
    "CREATE UNIQUE INDEX connect_support_codes_waiting ON connect_support_codes (code_hash) WHERE status = 'waiting'",
    "CREATE TABLE transfers (
        id {uuid} PRIMARY KEY, tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE,
        session_id {uuid} REFERENCES connect_sessions(id) ON DELETE SET NULL, direction TEXT NOT NULL,
        name TEXT NOT NULL, size BIGINT NOT NULL, sha256 TEXT, status TEXT NOT NULL, actor_id {uuid},
        created_at BIGINT NOT NULL, finished_at BIGINT)",
    "CREATE TABLE releases (
        id {uuid} PRIMARY KEY, version TEXT NOT NULL, channel TEXT NOT NULL, sha256 TEXT NOT NULL,
        size BIGINT NOT NULL, created_at BIGINT NOT NULL, UNIQUE (version, channel))",
    "CREATE TABLE settings (
        tenant_id {uuid} NOT NULL REFERENCES tenants(id) ON DELETE CASCADE, key TEXT NOT NULL,
        value {json} NOT NULL, updated_at BIGINT NOT NULL, PRIMARY KEY (tenant_id, key))",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let (uuid, json, serial) = match db.get_database_backend() {
            DbBackend::Postgres => ("UUID", "JSONB", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
            _ => ("UUID_TEXT", "JSON_TEXT", "INTEGER PRIMARY KEY AUTOINCREMENT"),
        };
        for table in TABLES {
            let statement = table.replace("{uuid}", uuid).replace("{json}", json).replace("{serial}", serial);
            db.execute_unprepared(&statement).await?;
        }
        let tenant = crate::tenancy::SEEDED;
        let statement = sea_orm::Statement::from_sql_and_values(
            db.get_database_backend(),
            "INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, $3)",
            [tenant.into(), "default".into(), 0i64.into()],
        );
        db.execute_raw(statement).await?;
        Ok(())
    }
}
