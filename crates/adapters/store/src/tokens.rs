//! Login tokens: only their hashes are known here.

use gc_access::SecretHash;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::entity::{login_token, user};
use crate::second_factor::{Factor, spend};
use crate::{Millis, Result, Store, tenancy};

/// A login that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginToken {
    /// The login's own id; viewer tokens minted under it name it.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// Until when.
    pub expires_at: Millis,
}

impl Store {
    /// Remember a login of `user`, whose password was verified against the
    /// hash in that row, and who showed this second factor. `None` when the row
    /// says otherwise by now: disabled, removed, with another password, or the
    /// factor was used before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_login(
        &self,
        user: &user::Model,
        factor: Factor,
        hash: SecretHash,
        now: Millis,
        expires_at: Millis,
    ) -> Result<Option<LoginToken>> {
        let id = Uuid::now_v7();
        let tx = self.begin().await?;
        self.take_turns(&tx).await?;
        let still = user::Entity::update_many()
            .col_expr(user::Column::LastLoginAt, Expr::value(now))
            .filter(user::Column::Id.eq(user.id))
            .filter(user::Column::Enabled.eq(true))
            .filter(user::Column::DeletedAt.is_null())
            .filter(user::Column::PasswordHash.eq(&user.password_hash));
        if still.exec(&tx).await?.rows_affected != 1 {
            return Ok(None);
        }
        if !spend(&tx, user, factor).await? {
            return Ok(None);
        }
        let row = login_token::ActiveModel {
            id: Set(id),
            tenant_id: Set(tenancy::SEEDED),
            user_id: Set(user.id),
            token_hash: Set(hash.to_hex()),
            created_at: Set(now),
            expires_at: Set(expires_at),
        };
        login_token::Entity::insert(row).exec_without_returning(&tx).await?;
        tx.commit().await?;
        Ok(Some(LoginToken { id, user_id: user.id, expires_at }))
    }

    /// The login with this hash, when it has not expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login(&self, hash: SecretHash, now: Millis) -> Result<Option<LoginToken>> {
        let row = login_token::Entity::find().filter(login_token::Column::TokenHash.eq(hash.to_hex())).one(&self.read);
        Ok(row.await?.and_then(|row| valid(&row, now)))
    }

    /// The login of this id, when it has not expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login_by_id(&self, id: Uuid, now: Millis) -> Result<Option<LoginToken>> {
        Ok(login_token::Entity::find_by_id(id).one(&self.read).await?.and_then(|row| valid(&row, now)))
    }

    /// Forget one login.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_login(&self, id: Uuid) -> Result<()> {
        login_token::Entity::delete_by_id(id).exec(&self.write).await?;
        Ok(())
    }

    /// Forget what has expired, and what would live longer than `longest`: it
    /// is of a clock that was set back since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_expired_logins(&self, now: Millis, longest: Millis) -> Result<()> {
        let over = Condition::any()
            .add(login_token::Column::ExpiresAt.lte(now))
            .add(login_token::Column::ExpiresAt.gt(now.saturating_add(longest)));
        login_token::Entity::delete_many().filter(over).exec(&self.write).await?;
        Ok(())
    }
}

/// Forget a user's logins, all or all but one.
pub(crate) async fn remove_logins(db: &impl ConnectionTrait, user: Uuid, but: Option<Uuid>) -> Result<()> {
    let mut which = Condition::all().add(login_token::Column::UserId.eq(user));
    if let Some(but) = but {
        which = which.add(login_token::Column::Id.ne(but));
    }
    login_token::Entity::delete_many().filter(which).exec(db).await?;
    Ok(())
}

fn valid(row: &login_token::Model, now: Millis) -> Option<LoginToken> {
    (row.expires_at > now).then_some(LoginToken { id: row.id, user_id: row.user_id, expires_at: row.expires_at })
}
