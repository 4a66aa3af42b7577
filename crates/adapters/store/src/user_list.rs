//! Users, as lists show them: a part at a time, in an order that is the same
//! on every database.

use std::collections::{HashMap, HashSet};

use gc_access::{Permission, Permissions, Role};
use sea_orm::sea_query::LikeExpr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use crate::entity::{permission, user};
use crate::model::Page;
use crate::users::name_key;
use crate::{Result, Store, StoreError, tenancy};

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Only those whose user name or shown name has this in it, upper or lower
    /// case.
    pub search: Option<String>,
    /// Only those of this role.
    pub role: Option<Role>,
    /// Only those who may log in, or only those who may not.
    pub enabled: Option<bool>,
    /// After this name, as [`Store::users`] gave it.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u64,
}

impl Store {
    /// Users with what they may do, by name; the cursor is a name.
    ///
    /// # Errors
    /// When the database fails or a role is not understood.
    pub async fn users(&self, filter: UserFilter) -> Result<Page<(user::Model, Permissions), String>> {
        let mut query = searched(filter.search.as_deref(), "%");
        if let Some(role) = filter.role {
            query = query.filter(user::Column::Role.eq(role.as_str()));
        }
        if let Some(enabled) = filter.enabled {
            query = query.filter(user::Column::Enabled.eq(enabled));
        }
        if let Some(after) = filter.after {
            query = query.filter(user::Column::UsernameKey.gt(after));
        }
        let rows = query.order_by_asc(user::Column::UsernameKey).limit(filter.limit + 1).all(&self.read).await?;
        let page = Page::new(rows, filter.limit, |row| row.username_key.clone());
        let mut given = self.given(page.items.iter().map(|row| row.id)).await?;
        let with = |row: user::Model| {
            let role = Role::from_name(&row.role).ok_or(StoreError::Corrupt)?;
            let extra = given.remove(&row.id).unwrap_or_default();
            Ok((row, Permissions::new(role, extra)))
        };
        let items = page.items.into_iter().map(with).collect::<Result<_>>()?;
        Ok(Page { items, next: page.next })
    }

    /// Whom `user` can invite: enabled technicians and watchers, from behind
    /// `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn colleagues(
        &self,
        user: Uuid,
        search: Option<&str>,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Page<user::Model, Uuid>> {
        // By the name that is shown, which stands behind the line's end: nobody
        // spells out another's login name.
        let mut query = searched(search, "%\n%")
            .filter(user::Column::Enabled.eq(true))
            .filter(user::Column::Id.ne(user))
            .filter(user::Column::Role.ne(Role::EndUser.as_str()));
        if let Some(after) = after {
            query = query.filter(user::Column::Id.gt(after));
        }
        let rows = query.order_by_asc(user::Column::Id).limit(limit + 1).all(&self.read).await?;
        Ok(Page::new(rows, limit, |row| row.id))
    }

    /// What each of these users was given beside the role's permissions.
    async fn given(&self, users: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, Vec<Permission>>> {
        let users: HashSet<Uuid> = users.collect();
        let mut given: HashMap<Uuid, Vec<Permission>> = HashMap::new();
        if users.is_empty() {
            return Ok(given);
        }
        let rows = permission::Entity::find().filter(permission::Column::UserId.is_in(users)).all(&self.read).await?;
        for row in rows {
            if let Some(permission) = Permission::from_name(&row.permission) {
                given.entry(row.user_id).or_default().push(permission);
            }
        }
        Ok(given)
    }
}

/// Users with this in one of their names, behind what `before` stands for.
fn searched(search: Option<&str>, before: &str) -> Select<user::Entity> {
    let query = tenancy::scoped(user::Entity::find(), user::Column::TenantId, tenancy::SEEDED)
        .filter(user::Column::DeletedAt.is_null());
    let Some(search) = search else { return query };
    // What stands for other characters in a pattern stands for itself.
    let mut pattern = before.to_owned();
    for c in name_key(search).chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    query.filter(user::Column::SearchKey.like(LikeExpr::new(pattern).escape('\\')))
}
