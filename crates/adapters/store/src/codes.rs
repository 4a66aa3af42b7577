//! Support codes: made with their session, consumed once.

use gc_access::{Access, SupportCode};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::entity::{code, session};
use crate::model::{ConsentState, Page, Source, Status, words};
use crate::sessions::end_session;
use crate::{Millis, Result, Store, tenancy};

words! {
    /// Where a code stands.
    CodeStatus {
        /// Nobody has used it.
        Waiting = "waiting",
        /// An agent has.
        Consumed = "consumed",
        /// Taken back.
        Cancelled = "cancelled",
        /// Too old.
        Expired = "expired",
    }
}

/// A code to make.
#[derive(Debug, Clone)]
pub struct NewCode {
    /// The code.
    pub code: SupportCode,
    /// What the person will be asked for.
    pub access: Access,
    /// Who makes it.
    pub created_by: Uuid,
    /// Their name, as the person will read it.
    pub technician_name: String,
    /// Their company, as the person will read it.
    pub organization: String,
    /// For the technician's own memory.
    pub note: Option<String>,
    /// Until when it may be used.
    pub expires_at: Millis,
}

/// Which codes to list.
#[derive(Debug, Clone, Default)]
pub struct CodeFilter {
    /// Only those that this user made.
    pub created_by: Option<Uuid>,
    /// Only those that stand so.
    pub status: Option<CodeStatus>,
    /// After this id, newest first.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: u64,
}

/// A code with its session.
#[derive(Debug, Clone)]
pub struct StoredCode {
    /// The code.
    pub code: code::Model,
    /// Its session.
    pub session: session::Model,
}

impl Store {
    /// Make a code and its session.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the same code waits already.
    pub async fn create_code(&self, new: NewCode, now: Millis) -> Result<StoredCode> {
        let tx = self.begin().await?;
        let session_id = Uuid::now_v7();
        let session = session::ActiveModel {
            id: Set(session_id),
            tenant_id: Set(tenancy::SEEDED),
            machine_id: Set(None),
            is_managed: Set(false),
            source: Set(Source::Standalone.as_str().into()),
            status: Set(Status::Waiting.as_str().into()),
            consent_state: Set(ConsentState::Pending.as_str().into()),
            requested_access: Set(new.access.as_str().into()),
            accepted_access: Set(None),
            created_by: Set(Some(new.created_by)),
            technician_name: Set(new.technician_name),
            organization: Set(new.organization),
            note: Set(new.note),
            hostname: Set(None),
            operating_system: Set(None),
            resume_hash: Set(None),
            end_reason: Set(None),
            created_at: Set(now),
            started_at: Set(None),
            ended_at: Set(None),
            deleted_at: Set(None),
        };
        let session = session.insert(&tx).await?;
        let code = code::ActiveModel {
            id: Set(Uuid::now_v7()),
            tenant_id: Set(tenancy::SEEDED),
            session_id: Set(session_id),
            code: Set(Some(new.code.secret().expose().to_owned())),
            code_hash: Set(new.code.secret().hash().to_hex()),
            status: Set(CodeStatus::Waiting.as_str().into()),
            created_by: Set(Some(new.created_by)),
            created_at: Set(now),
            expires_at: Set(new.expires_at),
            consumed_at: Set(None),
        };
        let code = code.insert(&tx).await?;
        tx.commit().await?;
        Ok(StoredCode { code, session })
    }

    /// A code that waits and has not expired, with its session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting_code(&self, code: &SupportCode, now: Millis) -> Result<Option<StoredCode>> {
        let row = tenancy::scoped(code::Entity::find(), code::Column::TenantId, tenancy::SEEDED)
            .filter(code::Column::CodeHash.eq(code.secret().hash().to_hex()))
            .filter(code::Column::Status.eq(CodeStatus::Waiting.as_str()))
            .filter(code::Column::ExpiresAt.gt(now))
            .one(&self.read)
            .await?;
        let Some(code) = row else { return Ok(None) };
        let session = session::Entity::find_by_id(code.session_id).one(&self.read).await?;
        Ok(session.map(|session| StoredCode { code, session }))
    }

    /// Use a code that is not due at `now`. Of all who try at once exactly one
    /// gets its session; the code itself is forgotten then. `at` is written
    /// down.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn consume_code(&self, code: &SupportCode, now: Millis, at: Millis) -> Result<Option<session::Model>> {
        let Some(stored) = self.waiting_code(code, now).await? else { return Ok(None) };
        let tx = self.begin().await?;
        let won = leave_waiting(&tx, stored.code.id, Leaving::Consumed { now, at }).await?;
        tx.commit().await?;
        Ok(won.then_some(stored.session))
    }

    /// Take a code back, and end its session for `reason` in the same step;
    /// `false` when it waits no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_code(&self, code: Uuid, session: Uuid, reason: &'static str, now: Millis) -> Result<bool> {
        self.end_waiting(code, session, Leaving::Cancelled, reason, now).await
    }

    /// Whether a session's code still waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_waiting_code(&self, session: Uuid) -> Result<bool> {
        let query = tenancy::scoped(code::Entity::find(), code::Column::TenantId, tenancy::SEEDED)
            .filter(code::Column::SessionId.eq(session))
            .filter(code::Column::Status.eq(CodeStatus::Waiting.as_str()));
        Ok(query.one(&self.read).await?.is_some())
    }

    /// Take back the code of a session, where it still waits, and end the
    /// session with it. Whether it did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_code_of(&self, session: Uuid, reason: &'static str, now: Millis) -> Result<bool> {
        let query = tenancy::scoped(code::Entity::find(), code::Column::TenantId, tenancy::SEEDED)
            .filter(code::Column::SessionId.eq(session))
            .filter(code::Column::Status.eq(CodeStatus::Waiting.as_str()));
        match query.one(&self.read).await? {
            Some(row) => self.cancel_code(row.id, session, reason, now).await,
            None => Ok(false),
        }
    }

    /// Mark codes whose time is over, and end their sessions for `reason` in
    /// the same step; the sessions' ids. Those that are due later than after
    /// `longest` were made by a clock that was set back since: theirs is over,
    /// too. `at` is written down.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_codes(
        &self,
        reason: &'static str,
        now: Millis,
        longest: Millis,
        at: Millis,
    ) -> Result<Vec<Uuid>> {
        let due = tenancy::scoped(code::Entity::find(), code::Column::TenantId, tenancy::SEEDED)
            .filter(code::Column::Status.eq(CodeStatus::Waiting.as_str()))
            .filter(
                Condition::any()
                    .add(code::Column::ExpiresAt.lte(now))
                    .add(code::Column::ExpiresAt.gt(now.saturating_add(longest))),
            )
            .all(&self.read)
            .await?;
        let mut sessions = Vec::new();
        for row in due {
            match self.end_waiting(row.id, row.session_id, Leaving::Expired, reason, at).await {
                Ok(true) => sessions.push(row.session_id),
                Ok(false) => {}
                // What has ended is told; the rest is due the next time as well.
                Err(_) if !sessions.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sessions)
    }

    /// Codes, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn codes(&self, filter: CodeFilter) -> Result<Page<code::Model, Uuid>> {
        let mut query = tenancy::scoped(code::Entity::find(), code::Column::TenantId, tenancy::SEEDED);
        if let Some(user) = filter.created_by {
            query = query.filter(code::Column::CreatedBy.eq(user));
        }
        if let Some(status) = filter.status {
            query = query.filter(code::Column::Status.eq(status.as_str()));
        }
        if let Some(before) = filter.before {
            query = query.filter(code::Column::Id.lt(before));
        }
        let items = query.order_by_desc(code::Column::Id).limit(filter.limit + 1).all(&self.read).await?;
        Ok(Page::new(items, filter.limit, |row| row.id))
    }

    async fn end_waiting(
        &self,
        code: Uuid,
        session: Uuid,
        how: Leaving,
        reason: &'static str,
        at: Millis,
    ) -> Result<bool> {
        let tx = self.begin().await?;
        let left = leave_waiting(&tx, code, how).await?;
        if left {
            end_session(&tx, session, reason, at).await?;
        }
        tx.commit().await?;
        Ok(left)
    }
}

/// How a code stops waiting.
#[derive(Debug, Clone, Copy)]
enum Leaving {
    /// Used, if it is not due at `now`.
    Consumed {
        now: Millis,
        at: Millis,
    },
    Cancelled,
    Expired,
}

async fn leave_waiting(db: &impl ConnectionTrait, id: Uuid, how: Leaving) -> Result<bool> {
    let to = match how {
        Leaving::Consumed { .. } => CodeStatus::Consumed,
        Leaving::Cancelled => CodeStatus::Cancelled,
        Leaving::Expired => CodeStatus::Expired,
    };
    let mut update = code::Entity::update_many()
        .col_expr(code::Column::Status, Expr::value(to.as_str()))
        .col_expr(code::Column::Code, Expr::value(Option::<String>::None))
        .filter(code::Column::Id.eq(id))
        .filter(code::Column::Status.eq(CodeStatus::Waiting.as_str()));
    if let Leaving::Consumed { now, at } = how {
        update = update.col_expr(code::Column::ConsumedAt, Expr::value(at)).filter(code::Column::ExpiresAt.gt(now));
    }
    Ok(update.exec(db).await?.rows_affected == 1)
}
