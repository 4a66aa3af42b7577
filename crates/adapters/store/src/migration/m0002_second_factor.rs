//! What a second factor needs beside its secret: the last step that was used,
//! so that no code serves twice, and codes for whoever has lost the device.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let uuid = if db.get_database_backend() == DbBackend::Postgres { "UUID" } else { "UUID_TEXT" };
        db.execute_unprepared("ALTER TABLE users ADD COLUMN mfa_last_step BIGINT").await?;
        db.execute_unprepared(&format!(
            "CREATE TABLE user_recovery_codes (
                user_id {uuid} NOT NULL REFERENCES users(id) ON DELETE CASCADE, code_hash TEXT NOT NULL,
                tenant_id {uuid} REFERENCES tenants(id) ON DELETE CASCADE, PRIMARY KEY (user_id, code_hash))"
        ))
        .await?;
        Ok(())
    }
}
