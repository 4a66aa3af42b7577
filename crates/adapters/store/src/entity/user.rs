//! Rows of `users`.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub username: String,
    pub username_key: String,
    pub display_name: String,
    pub search_key: String,
    pub role: String,
    pub password_hash: String,
    pub enabled: bool,
    pub mfa_secret: Option<String>,
    pub mfa_last_step: Option<i64>,
    pub must_change_password: bool,
    pub created_at: i64,
    pub last_login_at: Option<i64>,
    pub deleted_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
