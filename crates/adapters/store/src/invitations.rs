//! Technicians invited to a session of another.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::entity::{invitation, user};
use crate::model::Page;
use crate::{Millis, Result, Store, tenancy};

impl Store {
    /// Invite a user. `false` when they were invited already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invite(&self, session: Uuid, user: Uuid, by: Uuid, now: Millis) -> Result<bool> {
        let row = invitation::ActiveModel {
            session_id: Set(session),
            user_id: Set(user),
            tenant_id: Set(tenancy::SEEDED),
            invited_by: Set(Some(by)),
            created_at: Set(now),
        };
        let once =
            OnConflict::columns([invitation::Column::SessionId, invitation::Column::UserId]).do_nothing().to_owned();
        let rows = invitation::Entity::insert(row).on_conflict(once).exec_without_returning(&self.write).await?;
        Ok(rows > 0)
    }

    /// Withdraw an invitation. `false` when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn withdraw_invitation(&self, session: Uuid, user: Uuid) -> Result<bool> {
        Ok(invitation::Entity::delete_by_id((session, user)).exec(&self.write).await?.rows_affected > 0)
    }

    /// Whether a user is invited to a session that the person has accepted:
    /// before that an invitation shows nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_guest(&self, session: Uuid, user: Uuid) -> Result<bool> {
        if invitation::Entity::find_by_id((session, user)).one(&self.read).await?.is_none() {
            return Ok(false);
        }
        Ok(self.session(session).await?.is_some_and(|row| row.accepted_access.is_some()))
    }

    /// Who is invited to a session, from behind the user `after` on; those who
    /// were removed are not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invited(&self, session: Uuid, after: Option<Uuid>, limit: u64) -> Result<Page<user::Model, Uuid>> {
        let invited = Query::select()
            .column(invitation::Column::UserId)
            .from(invitation::Entity)
            .and_where(invitation::Column::SessionId.eq(session))
            .to_owned();
        let mut query = tenancy::scoped(user::Entity::find(), user::Column::TenantId, tenancy::SEEDED)
            .filter(user::Column::DeletedAt.is_null())
            .filter(user::Column::Id.in_subquery(invited));
        if let Some(after) = after {
            query = query.filter(user::Column::Id.gt(after));
        }
        let rows = query.order_by_asc(user::Column::Id).limit(limit + 1).all(&self.read).await?;
        Ok(Page::new(rows, limit, |row| row.id))
    }
}
