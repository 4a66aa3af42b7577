//! Second factors: set, taken away, and used once each.

use gc_access::{Secret, SecretHash};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::entity::{recovery_code, user};
use crate::{Result, Store, tenancy};

/// What was shown beside the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// Nothing: for users without a second factor only.
    None,
    /// The code of this time step.
    Step(i64),
    /// A recovery code.
    Recovery(SecretHash),
}

impl Store {
    /// Give a user, whose password was verified against `password_hash`, a
    /// second factor whose code of `step` was shown; `secret` is kept as it is. Whether it was done: not
    /// where the password is another by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_second_factor(
        &self,
        id: Uuid,
        password_hash: &str,
        secret: &Secret,
        step: i64,
        recovery: &[SecretHash],
    ) -> Result<bool> {
        let tx = self.begin().await?;
        self.take_turns(&tx).await?;
        let change = user::Entity::update_many()
            .col_expr(user::Column::MfaSecret, Expr::value(secret.expose()))
            .col_expr(user::Column::MfaLastStep, Expr::value(step))
            .filter(user::Column::Id.eq(id))
            .filter(user::Column::DeletedAt.is_null())
            .filter(user::Column::PasswordHash.eq(password_hash));
        if change.exec(&tx).await?.rows_affected != 1 {
            return Ok(false);
        }
        remove_codes(&tx, id).await?;
        for hash in recovery {
            let row = recovery_code::ActiveModel {
                user_id: Set(id),
                code_hash: Set(hash.to_hex()),
                tenant_id: Set(tenancy::SEEDED),
            };
            recovery_code::Entity::insert(row).exec_without_returning(&tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Secrets as they are stored, by user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn second_factor_secrets(&self) -> Result<Vec<(Uuid, Secret)>> {
        let query = tenancy::scoped(user::Entity::find(), user::Column::TenantId, tenancy::SEEDED)
            .filter(user::Column::MfaSecret.is_not_null());
        let rows = query.all(&self.read).await?.into_iter();
        Ok(rows.filter_map(|row| row.mfa_secret.map(|text| (row.id, Secret::new(text)))).collect())
    }

    /// Put another text in the place of a user's secret. False when it is
    /// another one by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_second_factor_secret(&self, user: Uuid, before: &Secret, after: &Secret) -> Result<bool> {
        let change = user::Entity::update_many()
            .col_expr(user::Column::MfaSecret, Expr::value(after.expose()))
            .filter(user::Column::Id.eq(user))
            .filter(user::Column::MfaSecret.eq(before.expose()));
        Ok(change.exec(&self.write).await?.rows_affected == 1)
    }
}

/// Use a factor up. Whether it serves, for the user as the row stands now.
pub(crate) async fn spend(db: &impl ConnectionTrait, user: &user::Model, factor: Factor) -> Result<bool> {
    let row = user::Entity::update_many().filter(user::Column::Id.eq(user.id));
    let spent = match factor {
        Factor::None => {
            let untouched = row.col_expr(user::Column::MfaLastStep, Expr::value(None::<i64>));
            untouched.filter(user::Column::MfaSecret.is_null()).exec(db).await?.rows_affected
        }
        Factor::Step(step) => {
            let fresh =
                Condition::any().add(user::Column::MfaLastStep.is_null()).add(user::Column::MfaLastStep.lt(step));
            row.col_expr(user::Column::MfaLastStep, Expr::value(step))
                .filter(user::Column::MfaSecret.eq(user.mfa_secret.clone()))
                .filter(fresh)
                .exec(db)
                .await?
                .rows_affected
        }
        Factor::Recovery(hash) => {
            recovery_code::Entity::delete_by_id((user.id, hash.to_hex())).exec(db).await?.rows_affected
        }
    };
    Ok(spent == 1)
}

/// Forget a user's recovery codes.
pub(crate) async fn remove_codes(db: &impl ConnectionTrait, user: Uuid) -> Result<()> {
    recovery_code::Entity::delete_many().filter(recovery_code::Column::UserId.eq(user)).exec(db).await?;
    Ok(())
}
