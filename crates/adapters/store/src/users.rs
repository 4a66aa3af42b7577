//! Users and what they may do.

use std::collections::{HashMap, HashSet};

use gc_access::{Permission, Permissions, Role};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use crate::entity::{permission, user};
use crate::second_factor::remove_codes;
use crate::tokens::remove_logins;
use crate::{Millis, Result, Store, StoreError, tenancy};

/// A user to create.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Login name; two that differ only in case are the same.
    pub username: String,
    /// Shown to people, on consent questions too.
    pub display_name: String,
    /// The role.
    pub role: Role,
    /// Permissions beside the role's.
    pub permissions: Vec<Permission>,
    /// Argon2id, in its text form.
    pub password_hash: String,
    /// Has to choose another at the next login.
    pub must_change_password: bool,
}

/// Which of a user's logins end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndsLogins {
    /// None.
    #[default]
    None,
    /// All but this one.
    AllBut(Uuid),
    /// All.
    All,
}

/// What to change of a user; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Shown name.
    pub display_name: Option<String>,
    /// Role.
    pub role: Option<Role>,
    /// All permissions beside the role's.
    pub permissions: Option<Vec<Permission>>,
    /// May log in.
    pub enabled: Option<bool>,
    /// Argon2id, in its text form.
    pub password_hash: Option<String>,
    /// Has to choose another at the next login.
    pub must_change_password: Option<bool>,
    /// Only where the password is still this one; else nothing changes.
    pub only_if_hash: Option<String>,
    /// Only where the user may still do just this; else nothing changes.
    pub only_if_rights: Option<Permissions>,
    /// Take the second factor away.
    pub without_second_factor: bool,
    /// Which logins end with it, in the same step.
    pub ends_logins: EndsLogins,
    /// Remove the user.
    pub deleted_at: Option<Millis>,
}

/// A name without its case.
pub(crate) fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// What a user is found by.
pub(crate) fn search_key(username: &str, display_name: &str) -> String {
    name_key(&format!("{username}\n{display_name}"))
}

impl Store {
    /// Create a user. `only_first`: refuse when an administrator exists, in
    /// the same transaction.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the name is taken, or an administrator
    /// exists and this was to be the first.
    pub async fn create_user(&self, new: NewUser, only_first: bool, now: Millis) -> Result<user::Model> {
        let tx = self.begin().await?;
        if only_first {
            self.take_turns(&tx).await?;
            if admins(&tx).await? > 0 {
                return Err(StoreError::Duplicate);
            }
        }
        let id = Uuid::now_v7();
        let row = user::ActiveModel {
            id: Set(id),
            tenant_id: Set(tenancy::SEEDED),
            username_key: Set(name_key(&new.username)),
            search_key: Set(search_key(&new.username, &new.display_name)),
            username: Set(new.username),
            display_name: Set(new.display_name),
            role: Set(new.role.as_str().into()),
            password_hash: Set(new.password_hash),
            enabled: Set(true),
            mfa_secret: Set(None),
            mfa_last_step: Set(None),
            must_change_password: Set(new.must_change_password),
            created_at: Set(now),
            last_login_at: Set(None),
            deleted_at: Set(None),
        };
        let row = row.insert(&tx).await?;
        write_permissions(&tx, id, &new.permissions).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Whether an administrator exists.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_admin(&self) -> Result<bool> {
        Ok(admins(&self.read).await? > 0)
    }

    /// The user of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_by_name(&self, username: &str) -> Result<Option<user::Model>> {
        let query = tenancy::scoped(user::Entity::find(), user::Column::TenantId, tenancy::SEEDED)
            .filter(user::Column::UsernameKey.eq(name_key(username)))
            .filter(user::Column::DeletedAt.is_null());
        Ok(query.one(&self.read).await?)
    }

    /// The user of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, id: Uuid) -> Result<Option<user::Model>> {
        let query = tenancy::scoped(user::Entity::find_by_id(id), user::Column::TenantId, tenancy::SEEDED);
        Ok(query.filter(user::Column::DeletedAt.is_null()).one(&self.read).await?)
    }

    /// Shown names by id, of those who were removed too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn display_names(&self, ids: HashSet<Uuid>) -> Result<HashMap<Uuid, String>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let query = tenancy::scoped(user::Entity::find(), user::Column::TenantId, tenancy::SEEDED)
            .filter(user::Column::Id.is_in(ids));
        let rows = query.all(&self.read).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.display_name)).collect())
    }

    /// What a user may do. A role that is not understood may nothing.
    ///
    /// # Errors
    /// When the database fails or the role is not understood.
    pub async fn permissions(&self, user: &user::Model) -> Result<Permissions> {
        permissions(&self.read, user).await
    }

    /// Change a user. `None` when there is none of this id, or the password
    /// is another one by now; refuses to take the last enabled administrator
    /// away.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when it was the last administrator,
    /// [`StoreError::Changed`] when the user's rights are others by now.
    pub async fn change_user(&self, id: Uuid, change: UserChange) -> Result<Option<user::Model>> {
        let tx = self.begin().await?;
        self.take_turns(&tx).await?;
        let query = tenancy::scoped(user::Entity::find_by_id(id), user::Column::TenantId, tenancy::SEEDED);
        let Some(row) = query.filter(user::Column::DeletedAt.is_null()).one(&tx).await? else { return Ok(None) };
        if change.only_if_hash.is_some_and(|hash| hash != row.password_hash) {
            return Ok(None);
        }
        if let Some(rights) = change.only_if_rights
            && permissions(&tx, &row).await? != rights
        {
            return Err(StoreError::Changed);
        }
        let username = row.username.clone();
        let mut row: user::ActiveModel = row.into();
        if let Some(name) = change.display_name {
            row.search_key = Set(search_key(&username, &name));
            row.display_name = Set(name);
        }
        if let Some(role) = change.role {
            row.role = Set(role.as_str().into());
        }
        if let Some(enabled) = change.enabled {
            row.enabled = Set(enabled);
        }
        if let Some(hash) = change.password_hash {
            row.password_hash = Set(hash);
        }
        if let Some(must) = change.must_change_password {
            row.must_change_password = Set(must);
        }
        if change.without_second_factor {
            row.mfa_secret = Set(None);
            row.mfa_last_step = Set(None);
            remove_codes(&tx, id).await?;
        }
        if let Some(at) = change.deleted_at {
            row.deleted_at = Set(Some(at));
        }
        let row = if row.is_changed() { row.update(&tx).await? } else { sea_orm::TryIntoModel::try_into_model(row)? };
        if let Some(permissions) = change.permissions {
            permission::Entity::delete_many().filter(permission::Column::UserId.eq(id)).exec(&tx).await?;
            write_permissions(&tx, id, &permissions).await?;
        }
        if admins(&tx).await? == 0 {
            return Err(StoreError::Duplicate);
        }
        match change.ends_logins {
            EndsLogins::None => {}
            EndsLogins::AllBut(login) => remove_logins(&tx, id, Some(login)).await?,
            EndsLogins::All => remove_logins(&tx, id, None).await?,
        }
        tx.commit().await?;
        Ok(Some(row))
    }
}

impl Store {
    /// What depends on several users' rows, or on one that may change, takes turns: SQLite's transactions do so by
    /// themselves, PostgreSQL's are told to.
    pub(crate) async fn take_turns(&self, tx: &impl ConnectionTrait) -> Result<()> {
        if self.is_postgres() {
            tx.execute_unprepared("SELECT pg_advisory_xact_lock(7203001)").await?;
        }
        Ok(())
    }
}

async fn permissions(db: &impl ConnectionTrait, user: &user::Model) -> Result<Permissions> {
    let role = Role::from_name(&user.role).ok_or(StoreError::Corrupt)?;
    let rows = permission::Entity::find().filter(permission::Column::UserId.eq(user.id)).all(db).await?;
    let mut extra: Vec<Permission> = rows.iter().filter_map(|row| Permission::from_name(&row.permission)).collect();
    extra.sort_unstable();
    Ok(Permissions::new(role, extra))
}

async fn admins(db: &impl ConnectionTrait) -> Result<u64> {
    let query = user::Entity::find()
        .filter(user::Column::Role.eq(Role::Admin.as_str()))
        .filter(user::Column::Enabled.eq(true))
        .filter(user::Column::DeletedAt.is_null());
    Ok(query.count(db).await?)
}

async fn write_permissions(db: &impl ConnectionTrait, user: Uuid, permissions: &[Permission]) -> Result<()> {
    let mut names: Vec<&str> = permissions.iter().map(|permission| permission.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let row = permission::ActiveModel {
            user_id: Set(user),
            permission: Set(name.into()),
            tenant_id: Set(tenancy::SEEDED),
        };
        permission::Entity::insert(row).exec_without_returning(db).await?;
    }
    Ok(())
}
