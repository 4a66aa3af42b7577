//! Support codes: made with their session, consumed once.

use gc_access::{Access, SupportCode};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::entity::{code, session};
use crate::model::{ConsentState, Source, Status, words};
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
        let row = code::Entity::find()
            .filter(code::Column::CodeHash.eq(code.secret().hash().to_hex()))
            .filter(code::Column::Status.eq(CodeStatus::Waiting.as_str()))
            .filter(code::Column::ExpiresAt.gt(now))
            .one(&self.read)
            .await?;
        let Some(code) = row else { return Ok(None) };
        let session = session::Entity::find_by_id(code.session_id).one(&self.read).await?;
        Ok(session.map(|session| StoredCode { code, session }))
    }

    /// Use a code. Of all who try at once exactly one gets its session; the
    /// code itself is forgotten then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn consume_code(&self, code: &SupportCode, now: Millis) -> Result<Option<session::Model>> {
        let Some(stored) = self.waiting_code(code, now).await? else { return Ok(None) };
        let won = self.leave_waiting(stored.code.id, CodeStatus::Consumed, now).await?;
        if !won { Ok(None) } else { Ok(Some(stored.session)) }
    }

    /// Take a code back; the id of its session where it still waited.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_code(&self, stored: &StoredCode, now: Millis) -> Result<bool> {
        self.leave_waiting(stored.code.id, CodeStatus::Cancelled, now).await
    }

    /// Whether a session's code still waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_waiting_code(&self, session: Uuid) -> Result<bool> {
        let query = code::Entity::find()
            .filter(code::Column::SessionId.eq(session))
            .filter(code::Column::Status.eq(CodeStatus::Waiting.as_str()));
        Ok(query.one(&self.read).await?.is_some())
    }

    /// Take back the code of a session, where it still waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_codes_of(&self, session: Uuid, now: Millis) -> Result<()> {
        let query = code::Entity::find().filter(code::Column::SessionId.eq(session));
        for row in query.all(&self.read).await? {
            self.leave_waiting(row.id, CodeStatus::Cancelled, now).await?;
        }
        Ok(())
    }

    /// Mark codes whose time is over; their sessions' ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_codes(&self, now: Millis) -> Result<Vec<Uuid>> {
        let due = code::Entity::find()
            .filter(code::Column::Status.eq(CodeStatus::Waiting.as_str()))
            .filter(code::Column::ExpiresAt.lte(now))
            .all(&self.read)
            .await?;
        let mut sessions = Vec::new();
        for row in due {
            if self.leave_waiting(row.id, CodeStatus::Expired, now).await? {
                sessions.push(row.session_id);
            }
        }
        Ok(sessions)
    }

    /// Codes of a session's creator, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn codes(&self, created_by: Option<Uuid>, limit: u64) -> Result<Vec<code::Model>> {
        let mut query = tenancy::scoped(code::Entity::find(), code::Column::TenantId, tenancy::SEEDED);
        if let Some(user) = created_by {
            query = query.filter(code::Column::CreatedBy.eq(user));
        }
        Ok(query.order_by_desc(code::Column::Id).limit(limit).all(&self.read).await?)
    }

    async fn leave_waiting(&self, id: Uuid, to: CodeStatus, now: Millis) -> Result<bool> {
        let mut update = code::Entity::update_many()
            .col_expr(code::Column::Status, Expr::value(to.as_str()))
            .col_expr(code::Column::Code, Expr::value(Option::<String>::None))
            .filter(code::Column::Id.eq(id))
            .filter(code::Column::Status.eq(CodeStatus::Waiting.as_str()));
        if to == CodeStatus::Consumed {
            update =
                update.col_expr(code::Column::ConsumedAt, Expr::value(now)).filter(code::Column::ExpiresAt.gt(now));
        }
        Ok(update.exec(&self.write).await?.rows_affected == 1)
    }
}
