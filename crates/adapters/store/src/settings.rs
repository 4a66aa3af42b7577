//! Settings by name.

use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use sea_orm::sea_query::OnConflict;

use crate::entity::setting;
use crate::{Millis, Result, Store, tenancy};

impl Store {
    /// A setting's value.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setting(&self, key: &str) -> Result<Option<serde_json::Value>> {
        Ok(setting::Entity::find_by_id((tenancy::SEEDED, key.to_owned())).one(&self.read).await?.map(|row| row.value))
    }

    /// Set a setting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_setting(&self, key: &str, value: serde_json::Value, now: Millis) -> Result<()> {
        let row = setting::ActiveModel {
            tenant_id: Set(tenancy::SEEDED),
            key: Set(key.into()),
            value: Set(value),
            updated_at: Set(now),
        };
        let replace = OnConflict::columns([setting::Column::TenantId, setting::Column::Key])
            .update_columns([setting::Column::Value, setting::Column::UpdatedAt])
            .to_owned();
        setting::Entity::insert(row).on_conflict(replace).exec_without_returning(&self.write).await?;
        Ok(())
    }
}
