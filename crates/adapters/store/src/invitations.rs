//! Technicians invited to a session of another.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::entity::invitation;
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

    /// Who is invited to a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invited(&self, session: Uuid) -> Result<Vec<Uuid>> {
        let query = invitation::Entity::find().filter(invitation::Column::SessionId.eq(session));
        Ok(query.all(&self.read).await?.into_iter().map(|row| row.user_id).collect())
    }
}
