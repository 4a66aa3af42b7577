//! Users are listed in one order on every database, and found by a part of
//! their names.

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use sea_orm_migration::prelude::*;
use uuid::Uuid;

use crate::users::search_key;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let backend = db.get_database_backend();
        if backend == DbBackend::Postgres {
            // By code points, whatever language the database was made for.
            db.execute_unprepared("ALTER TABLE users ALTER COLUMN username_key TYPE TEXT COLLATE \"C\"").await?;
        }
        db.execute_unprepared("ALTER TABLE users ADD COLUMN search_key TEXT NOT NULL DEFAULT ''").await?;
        // Databases disagree about what the lower case of a letter is: it is made here.
        let all = Statement::from_string(backend, "SELECT id, username, display_name FROM users");
        for row in db.query_all_raw(all).await? {
            let (id, username, shown): (Uuid, String, String) =
                (row.try_get("", "id")?, row.try_get("", "username")?, row.try_get("", "display_name")?);
            let key = search_key(&username, &shown);
            let set = "UPDATE users SET search_key = $1 WHERE id = $2";
            db.execute_raw(Statement::from_sql_and_values(backend, set, [key.into(), id.into()])).await?;
        }
        for index in [
            "CREATE INDEX connect_sessions_creator ON connect_sessions (created_by, id)",
            "CREATE INDEX connect_support_codes_creator ON connect_support_codes (created_by, id)",
            "CREATE INDEX connect_session_events_actor ON connect_session_events (actor_id, id)",
            "CREATE INDEX connect_session_events_type ON connect_session_events (event_type, id)",
        ] {
            db.execute_unprepared(index).await?;
        }
        Ok(())
    }
}
