//! Sessions, live and past.

use gc_access::{Access, SecretHash};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Query,
};
use uuid::Uuid;

use crate::entity::{invitation, session};
use crate::model::{ConsentState, Page, SessionFilter, Status};
use crate::{Millis, Result, Store, tenancy};

/// What to change of a session; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct SessionChange {
    /// Where it stands.
    pub status: Option<Status>,
    /// Whether somebody agreed.
    pub consent: Option<ConsentState>,
    /// To what; `Some(None)` takes it back.
    pub accepted: Option<Option<Access>>,
    /// The machine's name.
    pub hostname: Option<String>,
    /// Its system.
    pub operating_system: Option<String>,
    /// What brings its agent back.
    pub resume: Option<SecretHash>,
    /// When it became live.
    pub started_at: Option<Millis>,
    /// When and why it ended; the resume secret is forgotten with it.
    pub ended: Option<(Millis, &'static str)>,
    /// Take it out of lists.
    pub deleted_at: Option<Millis>,
}

impl Store {
    /// Change a session. `false` when there is none, or it has ended already
    /// and this is about more than taking it out of lists.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_session(&self, id: Uuid, change: SessionChange) -> Result<bool> {
        let mut row = session::ActiveModel::default();
        let only_removal = change.status.is_none() && change.ended.is_none() && change.deleted_at.is_some();
        if let Some(status) = change.status {
            row.status = Set(status.as_str().into());
        }
        if let Some(consent) = change.consent {
            row.consent_state = Set(consent.as_str().into());
        }
        if let Some(accepted) = change.accepted {
            row.accepted_access = Set(accepted.map(|access| access.as_str().into()));
        }
        if let Some(hostname) = change.hostname {
            row.hostname = Set(Some(hostname));
        }
        if let Some(system) = change.operating_system {
            row.operating_system = Set(Some(system));
        }
        if let Some(resume) = change.resume {
            row.resume_hash = Set(Some(resume.to_hex()));
        }
        if let Some(at) = change.started_at {
            row.started_at = Set(Some(at));
        }
        if let Some((at, reason)) = change.ended {
            row.status = Set(Status::Ended.as_str().into());
            row.ended_at = Set(Some(at));
            row.end_reason = Set(Some(reason.into()));
            row.resume_hash = Set(None);
        }
        if let Some(at) = change.deleted_at {
            row.deleted_at = Set(Some(at));
        }
        let mut update = session::Entity::update_many().set(row).filter(session::Column::Id.eq(id));
        if !only_removal {
            update = update.filter(session::Column::Status.ne(Status::Ended.as_str()));
        }
        Ok(update.exec(&self.write).await?.rows_affected == 1)
    }

    /// One session, unless it was taken out of lists.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, id: Uuid) -> Result<Option<session::Model>> {
        let query = tenancy::scoped(session::Entity::find_by_id(id), session::Column::TenantId, tenancy::SEEDED);
        Ok(query.filter(session::Column::DeletedAt.is_null()).one(&self.read).await?)
    }

    /// The session that this secret brings an agent back to, while it is not
    /// over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_by_resume(&self, hash: SecretHash) -> Result<Option<session::Model>> {
        let query = tenancy::scoped(session::Entity::find(), session::Column::TenantId, tenancy::SEEDED)
            .filter(session::Column::ResumeHash.eq(hash.to_hex()))
            .filter(session::Column::Status.ne(Status::Ended.as_str()));
        Ok(query.one(&self.read).await?)
    }

    /// Sessions that have not ended, as a restart finds them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_sessions(&self) -> Result<Vec<session::Model>> {
        let query = tenancy::scoped(session::Entity::find(), session::Column::TenantId, tenancy::SEEDED)
            .filter(session::Column::Status.ne(Status::Ended.as_str()));
        Ok(query.order_by_asc(session::Column::Id).all(&self.read).await?)
    }

    /// Sessions, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions(&self, filter: SessionFilter) -> Result<Page<session::Model, Uuid>> {
        let mut query = tenancy::scoped(session::Entity::find(), session::Column::TenantId, tenancy::SEEDED)
            .filter(session::Column::DeletedAt.is_null());
        if let Some(user) = filter.visible_to {
            let invited = Query::select()
                .column(invitation::Column::SessionId)
                .from(invitation::Entity)
                .and_where(invitation::Column::UserId.eq(user))
                .to_owned();
            // An invitation shows nothing before the person has accepted.
            let guest = Condition::all()
                .add(session::Column::AcceptedAccess.is_not_null())
                .add(session::Column::Id.in_subquery(invited));
            query = query.filter(Condition::any().add(session::Column::CreatedBy.eq(user)).add(guest));
        }
        if let Some(creator) = filter.created_by {
            query = query.filter(session::Column::CreatedBy.eq(creator));
        }
        if let Some(ended) = filter.ended {
            let word = Status::Ended.as_str();
            query =
                query.filter(if ended { session::Column::Status.eq(word) } else { session::Column::Status.ne(word) });
        }
        if let Some(before) = filter.before {
            query = query.filter(session::Column::Id.lt(before));
        }
        let items = query.order_by_desc(session::Column::Id).limit(filter.limit + 1).all(&self.read).await?;
        Ok(Page::new(items, filter.limit, |row| row.id))
    }
}

/// End a session's row, as part of a larger step.
pub(crate) async fn end_session(db: &impl ConnectionTrait, id: Uuid, reason: &'static str, now: Millis) -> Result<()> {
    let row = session::ActiveModel {
        status: Set(Status::Ended.as_str().into()),
        ended_at: Set(Some(now)),
        end_reason: Set(Some(reason.into())),
        resume_hash: Set(None),
        ..Default::default()
    };
    let update = session::Entity::update_many()
        .set(row)
        .filter(session::Column::Id.eq(id))
        .filter(session::Column::Status.ne(Status::Ended.as_str()));
    update.exec(db).await?;
    Ok(())
}
