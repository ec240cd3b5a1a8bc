//! Roles: the rights of an account beyond those of any customer.

use std::collections::BTreeSet;
use std::str::FromStr;

use kernel::ADMIN_ROLE;

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// May do what the admin token may.
    Admin,
}

kernel::named!(Role { Admin = ADMIN_ROLE });

/// The roles of an account, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles(BTreeSet<Role>);

impl Roles {
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// The names, as events and answers list them.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|role| role.as_str()).collect()
    }

    /// The names as a table keeps them.
    pub fn joined(&self) -> String {
        self.names().join(" ")
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(joined: &str) -> Result<Self, Self::Err> {
        joined.split(' ').filter(|name| !name.is_empty()).map(str::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_kept_as_text_and_read_again() {
        for (roles, joined) in [(&[][..], ""), (&[Role::Admin], "admin"), (&[Role::Admin, Role::Admin], "admin")] {
            let roles: Roles = roles.iter().copied().collect();
            assert_eq!((roles.joined().as_str(), joined.parse()), (joined, Ok(roles)));
        }
        assert!("root".parse::<Roles>().is_err());
    }
}
