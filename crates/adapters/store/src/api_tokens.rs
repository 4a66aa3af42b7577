//! Personal access tokens: only their hashes are known here.

use gc_access::{Permission, SecretHash};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use crate::entity::api_token;
use crate::model::Page;
use crate::{Millis, Result, Store, tenancy};

/// How old the last use that is known may be before it is written again.
const USE_NOTED_EVERY: Millis = 60_000;

/// A token for scripts, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id; viewer tokens minted under it name it.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// What it may be used for, as far as its owner may.
    pub scopes: Vec<Permission>,
    /// Since when.
    pub created_at: Millis,
    /// Until when; `None`: until it is revoked.
    pub expires_at: Option<Millis>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Millis>,
}

/// A token to keep.
#[derive(Debug)]
pub struct NewApiToken {
    /// Whose.
    pub user_id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// What for.
    pub scopes: Vec<Permission>,
    /// Until when.
    pub expires_at: Option<Millis>,
}

impl Store {
    /// Keep a token. `None` when its owner has `most` already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_api_token(
        &self,
        new: NewApiToken,
        hash: SecretHash,
        most: u64,
        now: Millis,
    ) -> Result<Option<ApiToken>> {
        let tx = self.begin().await?;
        self.take_turns(&tx).await?;
        if holding(now).filter(api_token::Column::UserId.eq(new.user_id)).count(&tx).await? >= most {
            return Ok(None);
        }
        let names: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
        let row = api_token::ActiveModel {
            id: Set(Uuid::now_v7()),
            tenant_id: Set(tenancy::SEEDED),
            user_id: Set(new.user_id),
            name: Set(new.name),
            token_hash: Set(hash.to_hex()),
            scopes: Set(serde_json::json!(names)),
            created_at: Set(now),
            expires_at: Set(new.expires_at),
            last_used_at: Set(None),
            revoked_at: Set(None),
        };
        let row = api_token::Entity::insert(row).exec_with_returning(&tx).await?;
        tx.commit().await?;
        Ok(Some(read(row)))
    }

    /// The token with this hash, if it holds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_token(&self, hash: SecretHash, now: Millis) -> Result<Option<ApiToken>> {
        Ok(holding(now).filter(api_token::Column::TokenHash.eq(hash.to_hex())).one(&self.read).await?.map(read))
    }

    /// Note that a token was used, where the last use that is known is older
    /// than a minute.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_use(&self, token: &ApiToken, now: Millis) -> Result<()> {
        let fresh = |last: Millis| (0..USE_NOTED_EVERY).contains(&now.saturating_sub(last));
        if !token.last_used_at.is_some_and(fresh) {
            let note = api_token::Entity::update_many()
                .col_expr(api_token::Column::LastUsedAt, Expr::value(now))
                .filter(api_token::Column::Id.eq(token.id));
            note.exec(&self.write).await?;
        }
        Ok(())
    }

    /// The token of this id, if it holds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_token_by_id(&self, id: Uuid, now: Millis) -> Result<Option<ApiToken>> {
        Ok(holding(now).filter(api_token::Column::Id.eq(id)).one(&self.read).await?.map(read))
    }

    /// A user's tokens that were not revoked, newest first, from behind
    /// `before` on: also those that have expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_tokens(&self, user: Uuid, before: Option<Uuid>, limit: u64) -> Result<Page<ApiToken, Uuid>> {
        let mut query = api_token::Entity::find()
            .filter(api_token::Column::TenantId.eq(tenancy::SEEDED))
            .filter(api_token::Column::UserId.eq(user))
            .filter(api_token::Column::RevokedAt.is_null());
        if let Some(before) = before {
            query = query.filter(api_token::Column::Id.lt(before));
        }
        let rows = query.order_by_desc(api_token::Column::Id).limit(limit + 1).all(&self.read).await?;
        Ok(Page::new(rows, limit, |row| row.id).map(read))
    }

    /// The token of this id, also one that was revoked or has expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_token_any(&self, id: Uuid) -> Result<Option<ApiToken>> {
        let row = api_token::Entity::find_by_id(id).filter(api_token::Column::TenantId.eq(tenancy::SEEDED));
        Ok(row.one(&self.read).await?.map(read))
    }

    /// Revoke a token. False when it was revoked before, or never was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_api_token(&self, id: Uuid, now: Millis) -> Result<bool> {
        let revoked = api_token::Entity::update_many()
            .col_expr(api_token::Column::RevokedAt, Expr::value(now))
            .filter(api_token::Column::Id.eq(id))
            .filter(api_token::Column::TenantId.eq(tenancy::SEEDED))
            .filter(api_token::Column::RevokedAt.is_null());
        Ok(revoked.exec(&self.write).await?.rows_affected == 1)
    }
}

fn holding(now: Millis) -> Select<api_token::Entity> {
    let not_expired =
        Condition::any().add(api_token::Column::ExpiresAt.is_null()).add(api_token::Column::ExpiresAt.gt(now));
    api_token::Entity::find()
        .filter(api_token::Column::TenantId.eq(tenancy::SEEDED))
        .filter(api_token::Column::RevokedAt.is_null())
        .filter(not_expired)
}

fn read(row: api_token::Model) -> ApiToken {
    // A scope that this version does not know gives nothing.
    let scopes = row.scopes.as_array().map(Vec::as_slice).unwrap_or_default();
    let scopes = scopes.iter().filter_map(|scope| Permission::from_name(scope.as_str()?)).collect();
    ApiToken {
        id: row.id,
        user_id: row.user_id,
        name: row.name,
        scopes,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
    }
}
